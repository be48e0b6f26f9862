# openssl.sh - digests, ciphers, keys, signatures, certificates, a short speed run.
# test: secs=180

scenario()
{
    for d in md5 sha1 sha224 sha256 sha384 sha512 sha512-256 sha3-256 sha3-512 shake128 blake2b512 blake2s256 sm3 ripemd160; do
        p openssl dgst -$d $GPL
    done
    p openssl dgst -sha256 -hmac key $GPL
    for c in aes-128-cbc aes-192-ctr aes-256-ctr aes-256-ecb aes-128-ofb aria-128-cbc camellia-256-cbc chacha20 sm4-cbc des-ede3-cbc; do
        p openssl enc -$c -K 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f \
            -iv 0f0e0d0c0b0a09080706050403020100 -in $GPL -out x.$c 2>/dev/null
        sha256sum x.$c
        p openssl enc -d -$c -K 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f \
            -iv 0f0e0d0c0b0a09080706050403020100 -in x.$c 2>/dev/null | cmp - $GPL && echo "$c round trip"
    done
    p openssl enc -aes-256-cbc -pbkdf2 -S 0102030405060708 -pass pass:secret -in $GPL | sha256sum
    p openssl genrsa -out rsa.pem 2048 2>/dev/null
    p openssl rsa -in rsa.pem -check -noout 2>/dev/null
    p openssl dgst -sha256 -sign rsa.pem -out rsa.sig $GPL
    p openssl rsa -in rsa.pem -pubout -out rsa.pub 2>/dev/null
    p openssl dgst -sha256 -verify rsa.pub -signature rsa.sig $GPL
    for curve in prime256v1 secp384r1 secp521r1 brainpoolP256r1; do
        p openssl ecparam -name $curve -genkey -noout -out ec.pem
        p openssl ec -in ec.pem -pubout -out ec.pub 2>/dev/null
        p openssl dgst -sha256 -sign ec.pem -out ec.sig $GPL
        p openssl dgst -sha256 -verify ec.pub -signature ec.sig $GPL
    done
    p openssl genpkey -algorithm ED25519 -out ed.pem
    p openssl pkeyutl -sign -inkey ed.pem -rawin -in $GPL -out ed.sig
    p openssl pkeyutl -verify -inkey ed.pem -rawin -in $GPL -sigfile ed.sig
    p openssl genpkey -algorithm X25519 -out x1.pem
    p openssl pkey -in x1.pem -pubout -out x1.pub
    p openssl pkeyutl -derive -inkey x1.pem -peerkey x1.pub | wc -c
    p openssl req -x509 -new -key rsa.pem -subj /CN=test -days 10 -set_serial 7 -out cert.pem
    p openssl verify -CAfile cert.pem cert.pem
    p openssl x509 -in cert.pem -noout -subject -serial
    p openssl prime 1000000007 1000000008
    p openssl rand -hex 16 | wc -c
    p openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:x -kdfopt salt:y -kdfopt iter:1000 PBKDF2
    p openssl speed -seconds 1 -bytes 1024 sha256 >/dev/null 2>&1
    echo "speed $?"
    p openssl nosuch
    rm -f ./*.pem ./*.pub ./*.sig
}
