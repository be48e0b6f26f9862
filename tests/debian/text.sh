# text.sh - grep, sed, gawk, sort and the other programs of text.

scenario()
{
    p grep -c free $GPL
    p grep -nE '^ *[0-9]+\. [A-Z]' $GPL
    p grep -oiP '\b(?:soft)ware(?=\s+free)\b|licen[sc]e\w+' $GPL | p sort | p uniq -c | p sort -k1,1nr -k2
    p sed -n '/Preamble/,/freedom/p' $GPL
    p sed -E 's/([a-z]+) ([a-z]+)/\2 \1/g; y/abc/ABC/; $!N; P; D' $GPL | p cksum
    p gawk '{ for (i = 1; i <= NF; i++) n[tolower($i)]++ } END { for (w in n) if (n[w] > 60) print n[w], w | "sort"; close("sort")
        printf "%.12g %.6f %e %d\n", sin(1) + exp(2) * log(3), atan2(1, 2), 1e300 * 10, 2 ^ 53
        print substr("hello", 2, 3), index("abc", "c"), length("äöü"), toupper("straße"), strftime("%F", 0, 1)
        s = "aXbXc"; gsub(/X/, "-", s); print s, match("foobar", /o+/), RSTART, RLENGTH; print 017, 1e3, "3x" + 4
        srand(1); for (i = 0; i < 5; i++) printf "%.6f ", rand(); print "" }' $GPL
    p tr a-z A-Z <$GPL | p md5sum
    p cut -c 1-20 $GPL | p fold -w 7 | p nl | p tail -n 20
    p sort -r $GPL | p sha512sum
    p sort -R --random-source=$GPL $GPL | p b2sum
    p paste -d, $GPL $GPL | p fmt -w 60 | p cksum -a sha256
    p join <(p seq 1 2 99) <(p seq 1 3 99)
    p comm -12 <(p seq 1 50 | p sort) <(p seq 25 75 | p sort) | p wc
    p od -t x1z -t fD -N 64 $GPL
    p split -l 100 $GPL part.
    p cat part.* | p cmp - $GPL && echo "split and joined"
    p diff -u $GPL part.ab | p tail -n 5
    p expr 5 \* 7 + 3
    p factor 600851475143 18446744073709551557 340282366920938463463374607431768211455
    p printf '%5.2f|%-8s|%08x|%b|%q\n' 3.14159 left 255 'a\tb' 'x y'
    p numfmt --to=iec 123456789
    p date -d @1700000000 '+%A %d %B %Y %H:%M:%S'
    echo 'scale=200; 4*a(1); e(1); sqrt(2)' | p bc -l
    echo '2^521-1; 123456789^20 % 1000007' | p bc
    p m4 <<<'define(fib,`ifelse($1,0,0,$1,1,1,`eval(fib(decr($1))+fib(decr(decr($1))))'"'"')'"'"')fib(12)'
    p base64 -w 50 $GPL | p base64 -d | p cmp - $GPL && echo base64
    p tsort <<<"a b b c c d a d"
    p seq 1 0.1 3 | p tac | p head -n 4
    p shuf -i 1-20 --random-source=$GPL | p tr '\n' ' '
    p grep --nosuchoption x
}
