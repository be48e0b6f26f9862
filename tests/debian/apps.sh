# apps.sh - big programs: Chromium with its sandbox (user namespaces, seccomp filters, V8), GHC with its interpreter, Ada, D and Nim
# compilers, memcached and HAProxy.
# test: long guest secs=900 parts=chromium,ghc,compilers,daemons packages=chromium,fonts-dejavu-core,ghc,gnat-12,ldc,nim,memcached,haproxy,gcc,libc6-dev,bash,coreutils,dash

chromium()
{
    local user=()
    # Its sandbox refuses root.
    [ "$(id -u)" != 0 ] || user=(unshare --user --map-user=1000 --map-group=1000)
    mkdir profile
    echo '<html><body><script>let s=0;for(let i=0;i<1e7;i++)s+=i%7;document.body.innerText="sum "+s</script></body></html>' >x.html
    "${user[@]}" env -i "${ENVIRONMENT[@]}" $ARMX -L "$ROOT" "$ROOT/usr/lib/chromium/chromium" --headless --disable-gpu --disable-dev-shm-usage \
        "--user-data-dir=$PWD/profile" --dump-dom "file://$PWD/x.html" >out 2>err || { tail err; return 1; }
    grep '<body>sum 29999994' out
}

ghc()
{
    local h=../lib/ghc/bin
    # Packages' scripts, which nobody has run here, make the cache of the data base.
    mkdir ghc
    ln -s "$ROOT"/usr/lib/ghc/* ghc
    rm ghc/package.conf.d
    cp -rL "$ROOT/var/lib/ghc/package.conf.d" ghc
    p $h/ghc-pkg "--global-package-db=$PWD/ghc/package.conf.d" recache
    echo 'main = do { print (sum [x*x | x <- [1..100000::Integer]]); print (length (show (product [1..2000::Integer]))) }' >x.hs
    p $h/ghc "-B$PWD/ghc" -threaded -O x.hs -o x
    want "$(printf '%s\n' 333338333350000 5736)" $ARMX -L "$ROOT" ./x +RTS -N2
    want 500500 p $h/ghc "-B$PWD/ghc" -e 'sum [1..1000]'
}

compilers()
{
    cat >x.adb <<'S'
with Ada.Text_IO; use Ada.Text_IO;
procedure X is
   task type T (N : Integer) is
      entry Go (R : out Integer);
   end T;
   task body T is
      S : Integer := 0;
   begin
      for I in 1 .. 1000 loop
         S := (S + I * N) mod 10007;
      end loop;
      accept Go (R : out Integer) do
         R := S;
      end Go;
   end T;
   A : T (3);
   B : T (5);
   V, W : Integer;
   P : access Integer := null;
begin
   A.Go (V);
   B.Go (W);
   Put_Line (Integer'Image (V) & Integer'Image (W));
   begin
      P.all := 1;
   exception
      when Constraint_Error => Put_Line ("null");
   end;
end X;
S
    p gnatmake-12 -q x.adb
    want "$(printf '%s\n' ' 450 750' null)" $ARMX -L "$ROOT" ./x
    cat >y.d <<'S'
import std.stdio, std.algorithm, std.range, std.parallelism, core.memory;
void main()
{
    writeln(iota(1, 1000).map!(x => x * x).sum, " ", taskPool.reduce!"a + b"(iota(100000L)));
    foreach (i; 0 .. 100) { auto a = new int[10000]; a[0] = i; }
    GC.collect();
    try { int[] z; z[1] = 2; } catch (Error e) { writeln("range"); }
}
S
    p ldc2 -of=y y.d
    want "$(printf '%s\n' '332833500 4999950000' range)" $ARMX -L "$ROOT" ./y
    cat >z.nim <<'S'
import std/[sequtils, tables, strutils]
var t = initTable[int, int]()
for i in 0..10000: t[i mod 97] = t.getOrDefault(i mod 97) + i
echo toSeq(t.values).foldl(a + b), " ", "a,b".split(',')
try: raise newException(ValueError, "v")
except ValueError as e: echo e.msg
S
    p nim c --hints:off -d:release --lib:/usr/lib/nim/lib -o:z z.nim
    want "$(printf '%s\n' '50005000 @["a", "b"]' v)" $ARMX -L "$ROOT" ./z
}

# start PROGRAM ARG...: in the background, as process $!, until the end.
start()
{
    env -i "${ENVIRONMENT[@]}" $ARMX -L "$ROOT" "$ROOT/usr/$1" "${@:2}" &
    trap "kill $!" EXIT
}

# ask SOCKET TEXT: what the server there says.
ask()
{
    python3 -c '
import socket, sys, time
for i in range(200):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(sys.argv[1])
        break
    except OSError:
        time.sleep(0.1)
s.sendall(sys.argv[2].encode())
while d := s.recv(100):
    sys.stdout.write(d.decode().replace("\r", ""))' "$1" "$2"
}

daemons()
{
    start bin/memcached -u root -s "$PWD/m" -t 4
    for _ in 1 2 3; do
        want "$(printf '%s\n' STORED 'VALUE a 0 5' hello END)" ask m $'set a 0 0 5\r\nhello\r\nget a\r\nquit\r\n'
    done
    kill $!
    wait $! || true
    printf '%s\n' global ' nbthread 4' defaults ' mode http' ' timeout client 5s' ' timeout server 5s' ' timeout connect 5s' \
        'frontend f' " bind unix@$PWD/h" ' http-request return status 200 content-type text/plain string hello' >h.cfg
    start sbin/haproxy -f h.cfg -db
    ask h $'GET / HTTP/1.0\r\n\r\n' | grep hello
    kill $!
    wait $! || true
    trap - EXIT
}

scenario()
{
    set -e
    "$PART"
    echo "$PART done"
}
