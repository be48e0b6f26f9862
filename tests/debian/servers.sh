# servers.sh - redis under redis-benchmark, nginx serving files.
# test: long guest secs=300 parts=redis,nginx packages=redis-server,redis-tools,nginx-light,libc-bin

scenario()
{
    set -e
    local i
    case $PART in
    redis)
        p redis-server --port 0 --unixsocket "$PWD/sock" --save '' --daemonize no --dir "$PWD" >log 2>&1 &
        pid=$!
        trap 'kill $pid; wait $pid || :' EXIT
        for i in $(seq 100); do
            [ ! -S sock ] || break
            sleep 0.1
        done
        p redis-cli -s "$PWD/sock" set key value
        [ "$(p redis-cli -s "$PWD/sock" get key)" = value ]
        p redis-cli -s "$PWD/sock" eval 'local s = 0 for i = 1, 1000 do s = s + redis.call("incr", "n") end return s' 0
        p redis-benchmark -s "$PWD/sock" -q -n 5000 -c 20 -t set,get,incr,lpush,lpop,sadd,hset,zadd,mset
        [ "$(p redis-cli -s "$PWD/sock" dbsize)" -ge 5 ]
        p redis-cli -s "$PWD/sock" bgsave
        p redis-cli -s "$PWD/sock" shutdown nosave || true
        trap - EXIT
        wait $pid || true
        ;;
    nginx)
        mkdir root logs
        cp $GPL root/text
        head -c 3000000 /dev/urandom >root/data
        cat >conf <<S
worker_processes 2; daemon off; pid $PWD/pid; error_log $PWD/logs/error;
events { worker_connections 64; }
http { access_log off; sendfile on; client_body_temp_path $PWD/b; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
  server { listen unix:$PWD/sock; root $PWD/root; gzip on; gzip_types *; } }
S
        p ../sbin/nginx -c "$PWD/conf" -p "$PWD" >log 2>&1 &
        pid=$!
        trap 'kill $pid; wait $pid || :' EXIT
        cat >get.py <<'S'
import gzip, http.client, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("sock")
path, how, times = sys.argv[1:]
c = Unix("localhost")
for _ in range(int(times)):
    c.request("GET", "/" + path, headers={"Accept-Encoding": how})
    r = c.getresponse()
    body = r.read()
    assert r.status == 200, r.status
    assert r.getheader("Content-Encoding", "identity") == how
sys.stdout.buffer.write(gzip.decompress(body) if how == "gzip" else body)
S
        get() { python3 get.py "$@"; }
        for i in $(seq 100); do
            get text identity 1 >/dev/null 2>&1 && break
            sleep 0.1
        done
        for i in 1 2 3 4 5; do
            (get text identity 100 | cmp - root/text) &
            get text gzip 100 | cmp - root/text
            get data identity 10 | cmp - root/data
            wait $!
        done
        ;;
    esac
    echo "$PART served"
}
