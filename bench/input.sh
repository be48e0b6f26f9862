# input.sh - makes what the programs of bench/workloads work on, in the current folder; sourced by bench/run. ROOT is the sysroot.
cat >work.py <<'S'
def primes(n):
    s = bytearray([1]) * n
    for i in range(2, int(n ** 0.5) + 1):
        if s[i]: s[i*i::i] = bytes(len(range(i*i, n, i)))
    return sum(s[2:])
class P:
    def __init__(self, x): self.x = x
    def step(self): self.x = (self.x * 1103515245 + 12345) % 2147483648; return self.x
p, d = P(1), {}
for i in range(300000): d[p.step() % 5000] = d.get(i % 5000, 0) + 1
print(primes(1000000), sum(d.values()), sorted(str(k) for k in d)[:3], sum(x * 0.5 for x in range(300000)))
S
cat >work.pl <<'S'
my %h; my $x = 1; for (1 .. 400000) { $x = ($x * 69069 + 1) % 4294967296; $h{$x % 3000} .= chr(97 + $x % 26) } my $n = 0;
for (sort keys %h) { $n += () = $h{$_} =~ /[aeiou]+[^aeiou]/g } print "$n\n";
S
cat >work.sql <<'S'
create table t(a integer primary key, b integer, c text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 150000) insert into t select i, i * 7919 % 10007, 'row ' || i from n;
create index tb on t(b); select count(*), sum(a.b) from t a join t b on a.b = b.a where a.c like '%7%'; select b % 100, count(*), max(c) from t group by 1 order by 2, 1 limit 3;
S
cat >work.lua <<'S'
local t, s = {}, 0 for i = 1, 300000 do t[i] = (i * 7919) % 100003 end table.sort(t) for i, v in ipairs(t) do s = s + v % i end
local function f(n) if n < 2 then return n end return f(n - 1) + f(n - 2) end print(s, f(28)) local b = {} for i = 1, 100000 do b[#b + 1] = tostring(i) end print(#table.concat(b))
S
cat >work.sh <<'S'
s=0; declare -A h
f() { local n=$1; if ((n < 2)); then r=$n; else f $((n - 1)); local a=$r; f $((n - 2)); r=$((a + r)); fi; }
for ((i = 0; i < 20000; i++)); do ((s = (s * 31 + i) % 1000003)); h[$((s % 100))]+=x; case $s in *7*) t="${t: -20}a";; *) t+=b;; esac; done
f 15; echo "$s ${#h[*]} $t $r"; x=$(printf '%s\n' {1..2000}); echo "${#x} ${x//1/one}" | { read -r a b; echo "${#a} ${#b}"; }
S
cat >work.configure <<'S'
# What a configure script does: small programs, here documents, expansions, files.
n=0
while [ $n -lt 60 ]; do
    n=$((n + 1))
    name=$(echo "ac_cv_func_$n" | sed 'y%*+abcdefghijklmnopqrstuvwxyz%PPABCDEFGHIJKLMNOPQRSTUVWXYZ%;s/[^_A-Z0-9]/_/g')
    cat >conftest.$$.c <<EOT
#define $name 1
int main (void) { return $name - 1; }
EOT
    if grep "define $name" conftest.$$.c >/dev/null 2>&1; then v=yes; else v=no; fi
    expr "x$v" : 'x\(y\)' >/dev/null && echo "checking for $name... $v"
    rm -f conftest.$$.c
done
S
cat >work.js <<'S'
let s = 0; for (let i = 0; i < 2e6; i++) s = (s * 31 + (i ^ (i >> 3))) | 0;
const m = new Map(); for (let i = 0; i < 200000; i++) m.set('k' + (i % 5000), (m.get('k' + (i % 5000)) || 0) + i);
class A { constructor(x) { this.x = x } get() { return this.x } } class B extends A { get() { return super.get() * 2 } }
let t = 0; for (let i = 0; i < 500000; i++) t += (i & 1 ? new A(i) : new B(i)).get();
const j = JSON.stringify(Array.from({ length: 20000 }, (_, i) => ({ i, n: 'x' + i }))); let f = 0; for (let i = 1; i < 500000; i++) f += Math.sqrt(i) / i;
console.log(s, m.get('k77'), t, JSON.parse(j).length, f.toFixed(6), 'the quick brown fox '.repeat(5000).replace(/(\w+) (\w+)/g, '$2 $1').length);
S
cat >Work.java <<'S'
import java.util.*;
public class Work {
    public static void main(String[] a) {
        long s = 0; for (int i = 0; i < 5000000; i++) s = s * 31 + (i ^ s >>> 7);
        Map<String, Integer> m = new HashMap<>(); for (int i = 0; i < 100000; i++) m.merge("k" + i % 5000, i, Integer::sum);
        double d = 0; for (int i = 1; i < 1000000; i++) d += Math.sqrt(i) / i;
        List<Integer> l = new ArrayList<>(); Random r = new Random(1); for (int i = 0; i < 80000; i++) l.add(r.nextInt()); Collections.sort(l);
        System.out.println(s + " " + m.get("k77") + " " + (long) (d * 1000) + " " + l.get(1000));
    }
}
S
{ echo 'package x'; for i in $(seq 1500); do echo "func f$i(a int,b []string) (int,error){ if a>$i{ return a*$i+len(b),nil }; for i:=range b{ a+=i ;switch {case a>3:a--;default:a++}}; return a,nil }"; done; } >work.go.txt
echo '{ for (i = 1; i <= NF; i++) n[$i]++; s += length($0) } END { for (w in n) if (n[w] > m) m = n[w]; print s, m }' >work.awk
awk 'BEGIN { x = 1; for (i = 0; i < 150000; i++) { x = (x * 16807) % 2147483647; printf "%d w%d x%d\n", x, x % 1000, i % 77 } }' >work.txt
cat "$ROOT/usr/bin/bash" "$ROOT/usr/bin/perl" work.txt | head -c 6000000 >work.dat
for _ in $(seq 6); do cat work.dat; done >work.big
for i in $(seq 150); do
    sed "s/kernel/kernel$i/; s/\bror\b/ror$i/; s/^#.*//; s/static uint64_t/uint64_t/; s/uint64_t/unsigned long/g; s/uint32_t/unsigned/g" \
        "$TOP/bench/guest/interp.c" | sed "s/\brun\b/run$i/; s/return run(/return run$i(/; s/uint8_t/unsigned char/g; s/^enum.*//"
done >body.c
{ sed -n 's/^enum { PUSH/&/p' "$TOP/bench/guest/interp.c"; cat body.c; } >work.i
