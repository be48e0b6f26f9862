# soak.sh - 200 runs of a mixed load, two at a time: each must end well with the same output.
# test: long guest secs=7200

load()
{
    local dir=$1
    mkdir -p "$dir"
    cd "$dir" || return 1
    case $((dir % 5)) in
    0) echo 'int f(int x) { int s = 0; for (int i = 0; i < x; i++) s += i * x ^ s; return s; } int main(void) { return f(9) == 0; }' >x.c
       p gcc -O3 --sysroot="$ROOT" -S -o x.s x.c && sha256sum <x.s ;;
    1) p python3 -c 'import threading, json, hashlib
r = [None] * 6
def work(i): r[i] = hashlib.sha256(json.dumps([x * i for x in range(5000)]).encode()).hexdigest()
t = [threading.Thread(target=work, args=(i,)) for i in range(6)]; [x.start() for x in t]; [x.join() for x in t]; print(r)' ;;
    2) p git init -q . && echo x >x && p git add x && p git -c user.name=a -c user.email=b commit -q -m x \
           --date=@1 && p git log --format=%s && p git gc -q && p git fsck 2>/dev/null ;;
    3) p perl -e 'my @k = map { fork // die } 1; my %h; $h{$_ % 97} .= $_ for 1 .. 50000; print length join "", map { $h{$_} } sort keys %h; print "\n"; wait' ;;
    4) p xz -c <$GPL | p xz -dc | p gzip -n | p gzip -dc | p sort | p uniq -c | sha256sum ;;
    esac
}

scenario()
{
    local i bad=0
    for i in $(seq 0 199); do
        (load "$i" >"out.$i" 2>&1 || echo "status $?" >>"out.$i") &
        [ $((i % 2)) = 0 ] || wait
    done
    wait
    for i in $(seq 5 199); do
        cmp "out.$i" "out.$((i % 5))" || bad=$((bad + 1))
    done
    for i in 0 1 2 3 4; do
        cat "out.$i"
        ! grep -q 'status\|internal error' "out.$i" || bad=$((bad + 1))
    done
    echo "$bad of 200 runs are wrong"
    [ $bad = 0 ]
}
