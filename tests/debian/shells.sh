# shells.sh - bash and dash: a script of loops, arithmetic, traps, pipes, substitutions, functions.
# test: parts=bash,dash

scenario()
{
    cat >script <<'S'
i=0 sum=0
while [ $i -lt 3000 ]; do
    sum=$((sum + i * i % 7))
    i=$((i + 1))
done
echo "sum $sum"
fact() { if [ "$1" -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1 - 1))))); fi; }
echo "10! = $(fact 10)"
for w in alpha beta "gamma delta"; do printf '<%s>' "$w"; done
echo
trap 'echo caught USR1' USR1
kill -USR1 $$
trap 'echo leaving with $?' EXIT
echo one two three | while read -r a b c; do echo "$c $b $a"; done
(exit 5); echo "status $?"
x=$(cat <<T
line 1 $((6 * 7))
line 2
T
)
echo "$x" | { read -r first; echo "first: $first"; }
case "hello world" in *wor*) echo matches ;; esac
ls /nonexistent 2>/dev/null || echo "no such thing"
cat /dev/null | cat | cat; echo "pipe $?"
sleep 0.05 & wait $!; echo "waited $?"
echo text >file; cat <file >copy; cmp file copy && echo same
set -- a b c; shift; echo "$# $*"
echo "${x#line}" | head -n 1
exit 3
S
    p "$PART" script
    echo "exit $?"
    if [ "$PART" = bash ]; then
        p bash -c 'a=(1 2 3); declare -A m=([x]=1 [y]=2); echo ${a[@]/2/two} ${!m[@]} | tr " " "\n" | sort
            for ((i = 0; i < 2000; i++)); do s+=x; done; echo ${#s}; [[ abc123 =~ ([a-z]+)([0-9]+) ]] &&
            echo ${BASH_REMATCH[2]}; printf "%(%F)T %q\n" 0 "a b"; diff <(echo a) <(echo b); echo {1..5}{a,b}
            echo $((2#1011 ** 3)) $((-7 / 2)) $((1 << 62)); exec 5<<<"here"; read -u 5 v; echo $v
            coproc C { read q; echo got $q; }; echo hi >&${C[1]}; read r <&${C[0]}; echo $r; ulimit -c 0
            timeout 0.1 sleep 5; echo $?; x() { local -n r=$1; r=5; }; x yy; echo $yy; type cd'
    fi
}
