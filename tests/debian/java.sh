# java.sh - OpenJDK: javac, the JITs, eight threads, garbage collection, exceptions.
# test: long guest secs=900 packages=default-jdk-headless,libc-bin

scenario()
{
    set -e
    cat >X.java <<'S'
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
public class X {
    static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    static long work(int seed) {
        long h = seed; List<byte[]> keep = new ArrayList<>();
        for (int i = 0; i < 200000; i++) { h = h * 31 + i; byte[] b = new byte[(int) (h & 1023)]; if ((i & 127) == 0) keep.add(b); if (keep.size() > 200) keep.clear(); }
        return h;
    }
    public static void main(String[] a) throws Exception {
        System.out.println(fib(30) + " " + System.getProperty("os.arch"));
        ExecutorService e = Executors.newFixedThreadPool(8); List<Future<Long>> f = new ArrayList<>();
        for (int i = 0; i < 32; i++) { int k = i; f.add(e.submit(() -> work(k))); }
        long sum = 0; for (var x : f) sum ^= x.get(); e.shutdown(); System.out.println(sum);
        ConcurrentHashMap<String, Integer> m = new ConcurrentHashMap<>();
        IntStream.range(0, 200000).parallel().forEach(i -> m.merge("k" + i % 1000, 1, Integer::sum)); System.out.println(m.size() + " " + m.get("k7"));
        int npe = 0; Object o = null; for (int i = 0; i < 20000; i++) { try { o.hashCode(); } catch (NullPointerException x) { npe++; } } System.out.println(npe);
        try { deep(0); } catch (StackOverflowError x) { System.out.println("overflow"); }
        System.out.println(Math.sin(1) + " " + Math.sqrt(2) + " " + 1.0 / 3 + " " + (float) 1e-40 + " " + (int) Double.NaN + " " + (long) 1e30 + " " + 7 % -3);
        System.out.println(new java.math.BigInteger("3").pow(500).mod(java.math.BigInteger.valueOf(1000003)));
        System.gc(); double d = 0; for (int i = 0; i < 5_000_000; i++) d += Math.floor(i * 0.37) * 1e-6; System.out.printf("%.6f%n", d);
        var p = new ProcessBuilder("/bin/echo", "child").start(); System.out.print(new String(p.getInputStream().readAllBytes()));
    }
    static int deep(int n) { return deep(n + 1) + 1; }
}
S
    p javac X.java
    p java -Xmx256m X >out
    cat out
    javac_native=$(command -v java || true)
    if [ -n "$javac_native" ]; then
        "$javac_native" -Xmx256m X | sed 's/amd64/aarch64/' >want
        cmp out want
    fi
    [ "$(wc -l <out)" = 9 ]
    p java -XX:+UseSerialGC -Xint -version
    for gc in UseG1GC UseParallelGC UseZGC UseShenandoahGC; do
        p java -XX:+$gc -Xmx128m X | cmp - out
    done
    p java -XX:-TieredCompilation -Xmx128m X | cmp - out
}
