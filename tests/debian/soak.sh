# soak.sh - 200 runs in a row of a mixed load, two at a time: gcc, python, node, Java, git. Each must
# end well, with the output that all runs of its kind have. RUNS=N for another number.
# test: long guest secs=7200

# in_root ROOT PROGRAM ARG...: as p, from another scenario's packages.
in_root()
{
    local root=$1 name=$2
    shift 2
    env -i "${ENVIRONMENT[@]}" PATH="$root/usr/bin" $ARMX -L "$root" -0 "${name##*/}" "$root/usr/bin/$name" "$@"
}

sources()
{
    cat >x.c <<'S'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(void)
{
    static int v[5000];
    double s = 0;
    for (int i = 0; i < 5000; i++) v[i] = i * 7919 % 4999;
    qsort(v, 5000, sizeof *v, order);
    for (int i = 0; i < 5000; i++) s += v[i] / (i + 1.0);
    printf("%d %.9f\n", v[2500], s);
    return 0;
}
S
    cat >x.py <<'S'
import hashlib, json, subprocess, sys, threading
r = [None] * 6
def work(i):
    r[i] = hashlib.sha256(json.dumps([x * i / 7 for x in range(3000)]).encode()).hexdigest()
t = [threading.Thread(target=work, args=(i,)) for i in range(6)]
[x.start() for x in t]
[x.join() for x in t]
print(r)
print(subprocess.run([sys.executable, "-c", "print(sorted({hash(i) for i in range(99)})[-1])"], capture_output=True).stdout)
S
    cat >x.js <<'S'
const { Worker } = require('worker_threads');
let s = 0;
for (let i = 0; i < 4e5; i++) s = (s * 31 + (i ^ (i >> 3))) | 0;
let f = 0;
for (let i = 1; i < 2e5; i++) f += Math.sin(i) / i;
console.log(s, f.toFixed(9), 'a-b-c'.repeat(500).replace(/(\w)-(\w)/g, '$2$1').length);
Promise.all([1, 2, 3].map(n => new Promise((ok, no) => {
    const w = new Worker('const { parentPort, workerData } = require("worker_threads"); let a = []; ' +
        'for (let i = 0; i < 1e5; i++) a.push({ i: i * workerData }); parentPort.postMessage(a.reduce((s, x) => s + x.i, 0))',
        { eval: true, workerData: n });
    w.on('message', ok);
    w.on('error', no);
}))).then(r => console.log(r));
S
    cat >X.java <<'S'
import java.util.*;
import java.util.concurrent.*;
public class X {
    static long work(int seed) {
        long h = seed;
        List<byte[]> keep = new ArrayList<>();
        for (int i = 0; i < 60000; i++) {
            h = h * 31 + i;
            byte[] b = new byte[(int) (h & 1023)];
            if ((i & 63) == 0) keep.add(b);
            if (keep.size() > 100) keep.clear();
        }
        return h;
    }
    public static void main(String[] a) throws Exception {
        ExecutorService e = Executors.newFixedThreadPool(8);
        List<Future<Long>> f = new ArrayList<>();
        for (int i = 0; i < 16; i++) { int k = i; f.add(e.submit(() -> work(k))); }
        long sum = 0;
        for (var x : f) sum ^= x.get();
        e.shutdown();
        System.gc();
        int npe = 0;
        Object o = null;
        for (int i = 0; i < 5000; i++) { try { o.hashCode(); } catch (NullPointerException x) { npe++; } }
        System.out.println(sum + " " + npe);
    }
}
S
}

# load N: run N; works in a folder of its own.
load()
{
    set -e
    mkdir "run$1"
    cd "run$1"
    case $(($1 % 5)) in
    0)
        p gcc --sysroot="$ROOT" -O2 -Wall -o x ../x.c
        env -i $ARMX -L "$ROOT" ./x
        sha256sum <x
        ;;
    1) p python3 ../x.py ;;
    2) in_root "$NODE" node ../x.js ;;
    3) in_root "$JAVA" java -Xmx64m -cp .. X ;;
    4)
        p git init -q -b main a
        (
            cd a
            for k in 1 2 3; do
                p seq $k 400 >f$k
                p git add .
                p git -c user.name=a -c user.email=b commit -q -m "c$k" --date=@1
            done
        )
        p git clone -q --no-local a b
        p git -C b gc -q
        p git -C b fsck
        p git -C b log --format='%s %T'
        ;;
    esac
    cd ..
    rm -rf "run$1"
}

scenario()
{
    local i bad=0 runs=${RUNS:-200}
    NODE=$(root_of node) JAVA=$(root_of java)
    sources
    in_root "$JAVA" javac X.java || return 1
    for i in $(seq 0 $((runs - 1))); do
        while [ "$(jobs -pr | wc -l)" -ge 2 ]; do
            wait -n
        done
        (load "$i" >"out.$i" 2>&1; echo "status $?" >>"out.$i") &
    done
    wait
    for i in 0 1 2 3 4; do
        cat "out.$i"
    done
    for i in $(seq 0 $((runs - 1))); do
        if ! cmp "out.$i" "out.$((i % 5))" || ! tail -n 1 "out.$i" | grep -qx 'status 0'; then
            bad=$((bad + 1))
            head -c 4000 "out.$i"
        fi
    done
    echo "$bad of $runs runs are wrong"
    [ $bad = 0 ]
}
