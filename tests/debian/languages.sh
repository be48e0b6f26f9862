# languages.sh - perl, lua, sqlite3, python3 on one program each.
# test: secs=90 parts=perl,lua,sqlite,python

scenario()
{
    case $PART in
    perl) cat >x.pl <<'S'
use strict; use warnings; use List::Util qw(sum reduce max); use POSIX qw(floor strftime); use Data::Dumper;
my %h; $h{$_ % 7} += $_ * 1.5 for 1 .. 5000; print join(",", map { "$_=$h{$_}" } sort keys %h), "\n";
my @s = sort { $b <=> $a } map { ($_ * 7919) % 1009 } 1 .. 1000; print "@s[0..9] ", sum(@s), "\n";
my $t = "The quick brown fox" x 50; my $n = () = $t =~ /\b(\w)\w*\b/g; print "$n ", ($t =~ tr/o//), "\n";
(my $r = $t) =~ s/(\w+) (\w+)/$2 $1/g; print length $r, " ", substr($r, 0, 30), "\n";
printf "%.15g %e %x %s\n", exp(1) ** 2, 1e-300 / 3, 0xdeadbeef, 2 ** 70; print strftime("%F %T", gmtime(86400 * 365)), "\n";
$Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1; print Dumper({ a => [1, { b => 2 }], c => \"x" });
eval { die { code => 42 } }; print "code $@->{code}\n"; my $f; $f = sub { my $n = shift; $n < 2 ? $n : $f->($n - 1) + $f->($n - 2) }; print $f->(18), "\n";
my $pid = fork; if (!$pid) { exit 7 } waitpid $pid, 0; print $? >> 8, "\n"; print `echo from a shell`; local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select(undef, undef, undef, 3);
print pack("N n C a4", 1, 2, 3, "abcd") eq "\0\0\0\1\0\2\3abcd" ? "pack\n" : "bad\n"; print join(" ", unpack("w/a", pack("w/a", "xyz"))), "\n"; use utf8; binmode STDOUT, ":utf8"; print uc("straße"), " ", length("äöü"), "\n";
S
        p perl x.pl
        p perl -MTime::HiRes -MStorable -MDigest::SHA=sha256_hex -MMIME::Base64 -e 'print sha256_hex("x"), encode_base64("hello")'
        p perl -e 'die "at the end\n"' ;;
    lua) cat >x.lua <<'S'
local t = {} for i = 1, 20000 do t[i] = (i * 7919) % 10007 end table.sort(t) print(t[1], t[10000], #t)
local s = {} for w in ("the quick brown fox"):gmatch("%a+") do s[#s + 1] = w:upper() end print(table.concat(s, "-"))
print(string.format("%.14g %d %x %q", math.pi * 1e10, 1 << 40, 255, "a\nb"), 7 // 2, -7 // 2, 7 % -3, 2 ^ 0.5, 1e15, 10 / 2)
local co = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i * i) end end) local sum = 0 for i = 1, 1000 do sum = sum + co() end print(sum)
print(pcall(error, { code = 1 }), select("#", pcall(error))) print(string.pack("<i4d", 7, 1.5):byte(1, -1)) print(math.maxinteger + 1 == math.mininteger, 5 // 0.0, -5 % 0.3)
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end print(fib(22)) print(os.time({ year = 2020, month = 1, day = 1, hour = 12 })) print(("x"):rep(10, ","), utf8.char(228, 8364), #"äö")
local mt = setmetatable({}, { __index = function(_, k) return k * 2 end, __close = function() print("closed") end }) do local c <close> = mt print(c[21]) end collectgarbage() print(collectgarbage("count") > 0) print(tostring(0/0):gsub("-", ""), 1/0) goto done ::done:: print(load("return 1 + 1")())
S
        p lua5.4 x.lua ;;
    sqlite) p sqlite3 test.db <<'S'
create table t(id integer primary key, a real, b text, c blob); create index ta on t(a);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into t select i, i * 1.5 % 97, 'row ' || (i % 13), zeroblob(i % 5) from n;
select count(*), sum(a), avg(id), min(b), max(b), group_concat(distinct length(c)) from t; select b, count(*), round(total(a), 3) from t group by b order by 2 desc, 1 limit 5;
select t1.id, t2.id from t t1 join t t2 on t1.id = t2.id * 7 where t1.a > 90 order by 1 limit 5; update t set a = a * 2 where id % 3 = 0; delete from t where id > 4000; vacuum; pragma integrity_check;
select json_extract('{"a":[1,2,{"b":3}]}', '$.a[2].b'), printf('%.10g', 1/3.0), hex(zeroblob(2)), substr('hello', 2, 3), julianday('2020-01-01'), strftime('%s', '2020-01-01'); select sum(a) over (order by id rows 2 preceding) from t limit 5; explain query plan select * from t where a = 3;
select 9223372036854775807 + 1, 1e308 * 10, -0.0, cast('12abc' as integer), 7 / 2, 7 % -3, 0.1 + 0.2, round(2.5), abs(-5), 'a' like 'A', sqrt(2), sin(1), pow(2, 0.5), ln(10); .dump nosuch
select nosuch;
S
        p sqlite3 test.db 'select count(*), sum(id) from t; pragma page_count;'
        p sqlite3 -header -column test.db 'select * from t where id < 4'
        rm -f test.db ;;
    python) cat >x.py <<'S'
import math, json, re, hashlib, struct, zlib, itertools, functools, decimal, fractions, random, datetime, collections, statistics, textwrap, threading, subprocess, sys
print(sum(math.sin(i) * math.exp(-i / 50) for i in range(1000)), math.factorial(60), math.gcd(2**90, 6**40), float.hex(0.1 + 0.2), 10**30 // 7, -7 // 2, 7 % -3, round(2.5), 1e16 + 1)
print(json.dumps({"a": [1, 2.5, None, True, "ü\n"], "b": {"c": 1e100}}, sort_keys=True), re.sub(r"(\w+)@(\w+)", r"\2 at \1", "me@here you@there"), hashlib.sha256(b"x" * 1000).hexdigest(), zlib.crc32(b"hello"), struct.pack("<ifdq", 1, 2.5, 3.25, -4).hex())
random.seed(1); print([random.random() for _ in range(3)], random.sample(range(100), 5), random.gauss(0, 1)); decimal.getcontext().prec = 50; print(decimal.Decimal(2).sqrt(), fractions.Fraction(1, 3) + fractions.Fraction(2, 7), statistics.pstdev(range(100)))
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(200), sorted(collections.Counter("mississippi").items()), datetime.datetime(2020, 2, 28) + datetime.timedelta(days=2), list(itertools.permutations("abc"))[:4], "%.17g|%5d|%-5s|%x" % (1 / 3, 42, "ab", 255), f"{1234567.891:,.2f} {2**0.5!r:>30}")
def gen():
    try: yield from range(3)
    finally: print("closed")
for v in gen(): print(v)
class E(Exception): pass
try:
    try: 1 / 0
    except ZeroDivisionError as e: raise E("wrapped") from e
except E as e: print(repr(e), repr(e.__cause__))
lock, total = threading.Lock(), [0]
def work():
    for i in range(2000):
        with lock: total[0] += i
ts = [threading.Thread(target=work) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; print(total[0])
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout, end=""); print(subprocess.run([sys.executable, "-c", "import sys; sys.exit(9)"]).returncode); print(sys.byteorder, sys.maxsize, sys.float_info.max, sys.getrecursionlimit())
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
print(deep(900)); print(eval("[x * x for x in range(10) if x % 2]"), (lambda *a, **k: (a, k))(1, b=2), "äöü".encode().hex(), "ß".upper(), hash("") == hash(""), 0.1 .as_integer_ratio(), complex(1, 2) ** 3, int("ff", 16), b"\x00\xff".hex())
raise SystemExit(4)
S
        p python3 x.py ;;
    esac
    echo "exit $?"
}
