# users.sh - what people run on such a machine besides the others here: Ruby, PHP, Tcl, Guile, Erlang, Rust with cargo,
# editors, rsync, ssh-keygen, gpg, systemd's tools; PostgreSQL under pgbench. Results that are not obvious are native ones.
# test: long guest secs=900 parts=scripts,tools,rust,erlang,postgres packages=ruby,php-cli,tcl,guile-3.0,rsync,gnupg,openssh-client,vim-nox,emacs-nox,systemd,dash,coreutils,erlang-base,rustc,cargo,gcc,libc6-dev,postgresql-15,postgresql-contrib

scripts()
{
    ENVIRONMENT+=("RUBYLIB=$(echo "$ROOT"/usr/lib/ruby/[0-9]*):$(echo "$ROOT"/usr/lib/aarch64-linux-gnu/ruby/[0-9]*)")
    cat >x.rb <<'S'
puts RUBY_PLATFORM, (1..20).map { |x| x * x }.sum
t = (0..3).map { |i| Thread.new { (1..20000).reduce { |a, b| (a * b + i) % 1000003 } } }; p t.map(&:value)
Process.wait(fork { exit 3 }); p $?.exitstatus, `echo sub`
f = Fiber.new { Fiber.yield 1; 2 }; p f.resume, f.resume, Ractor.new { 42 }.take
trap("USR1") { puts "usr1" }; Process.kill("USR1", $$); sleep 0.1
begin; Integer("x"); rescue => e; puts e.class; end
GC.stress = true; p (1..50).map(&:to_s).join.size
S
    want "$(printf '%s\n' aarch64-linux-gnu 2870 '[451945, 406119, 360293, 314467]' 3 '"sub\n"' 1 2 42 usr1 ArgumentError 91)" p ruby -W0 x.rb
    cat >x.php <<'S'
<?php $a = []; for ($i = 0; $i < 200000; $i++) { $k = $i % 1000; $a[$k] = ($a[$k] ?? 0) + $i; } echo array_sum($a), " ", md5(str_repeat("x", 100000)), "\n";
echo json_encode(["pi" => round(pi(), 10), "s" => sprintf("%08.3f", 2 / 3)]), preg_replace('/(\w+) (\w+)/', '$2 $1', "hello world"), shell_exec("echo sub");
function g() { for ($i = 0; $i < 3; $i++) { yield $i => $i ** 2; } } foreach (g() as $k => $v) echo "$k=$v "; try { intdiv(1, 0); } catch (DivisionByZeroError $e) { echo get_class($e), "\n"; }
S
    want "$(printf '%s\n' '19999900000 d5816f35916d1d9482fb0f1ec201101d' '{"pi":3.1415926536,"s":"0000.667"}world hellosub' '0=0 1=1 2=4 DivisionByZeroError')" \
        p "$(basename "$(echo "$ROOT"/usr/bin/php[0-9]*)")" -n x.php
    echo 'puts [expr {2**100}]; puts [exec echo hi]; set f [open |cat r+]; puts $f hello; flush $f; puts [gets $f]; puts [clock format 0 -gmt 1]; puts [regsub -all {o} foo 0]' >x.tcl
    want "$(printf '%s\n' 1267650600228229401496703205376 hi hello 'Thu Jan 01 00:00:00 GMT 1970' f00)" p "$(basename "$(echo "$ROOT"/usr/bin/tclsh[0-9]*)")" x.tcl
    ENVIRONMENT+=("GUILE_LOAD_PATH=$ROOT/usr/share/guile/3.0" "GUILE_LOAD_COMPILED_PATH=$ROOT/usr/lib/aarch64-linux-gnu/guile/3.0/ccache")
    want "333332833333500000(1 2)" p ../lib/aarch64-linux-gnu/guile/3.0/bin/guile --no-auto-compile \
        -c '(display (let loop ((i 0) (s 0)) (if (= i 1000000) s (loop (+ i 1) (+ s (* i i))))))(write (list 1 2))'
}

tools()
{
    mkdir -p a/d
    head -c 300000 "$ROOT/usr/bin/rsync" >a/d/f
    ln -s f a/d/l
    ln a/d/f a/h
    p rsync -aH a/ b/
    diff -r a b
    [ a/h -ef a/d/f ] && [ b/h -ef b/d/f ]
    echo more >>a/d/f
    p rsync -aH --checksum --delete a/ b/
    diff -r a b
    p ssh-keygen -q -t ed25519 -N '' -f key
    p ssh-keygen -lf key.pub
    echo text >text
    p ssh-keygen -q -Y sign -f key -n file text
    p ssh-keygen -Y check-novalidate -n file -s text.sig <text
    mkdir -m 700 gpg
    ENVIRONMENT+=("GNUPGHOME=$PWD/gpg")
    p gpg --batch --quiet --passphrase '' --quick-gen-key 'A <a@example.org>' ed25519 sign
    p gpg --batch --quiet --clearsign text
    p gpg --batch --verify text.asc 2>&1 | grep 'Good signature'
    p gpgconf --kill all
    printf 'hello\nworld\n' >v
    p vim.nox -u NONE -es -c '%s/hello/zebra/' -c sort -c wq v
    [ "$(cat v)" = "$(printf 'world\nzebra')" ]
    cat >x.el <<'S'
(princ (format "%s %s" (apply '+ (number-sequence 1 1000)) (shell-command-to-string "printf sub")))
(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(byte-compile 'fib)
(princ (format " %s" (fib 20)))
S
    E=$(echo "$ROOT"/usr/share/emacs/[0-9]*)
    ENVIRONMENT+=("EMACSLOADPATH=$E/lisp:$E/lisp/emacs-lisp:$E/lisp/progmodes:$E/lisp/international" "EMACSDATA=$E/etc")
    want "500500 sub 6765" p emacs-nox -Q --batch -l ./x.el
    p systemd-analyze calendar 'Mon *-*-* 00:00:00' | grep -x 'Normalized form: Mon \*-\*-\* 00:00:00'
    want 'a\x20b-c' p systemd-escape 'a b/c'
}

rust()
{
    mkdir -p c/src
    printf '[package]\nname = "c"\nversion = "0.1.0"\nedition = "2021"\n' >c/Cargo.toml
    cat >c/src/main.rs <<'S'
use std::{collections::HashMap, thread};
fn main() {
    let h: Vec<_> = (0..4u64).map(|i| thread::spawn(move || { let mut m = HashMap::new(); for k in 0..10000u64 { *m.entry(k % 97).or_insert(0) += k * i; } m.values().sum::<u64>() })).collect();
    println!("{:?}", h.into_iter().map(|x| x.join().unwrap()).collect::<Vec<_>>());
    println!("{}", std::panic::catch_unwind(|| { let v: Vec<u8> = vec![]; v[3] }).is_err());
}
#[test]
fn adds() { assert_eq!(1 + 1, 2) }
S
    cd c
    ENVIRONMENT+=("RUSTFLAGS=--sysroot $ROOT/usr" "CARGO_HOME=$PWD/home" "RUSTC=$ROOT/usr/bin/rustc")
    p cargo build --offline --release
    want "$(printf '%s\n' '[0, 49995000, 99990000, 149985000]' true)" $ARMX -L "$ROOT" target/release/c 2>/dev/null
    p cargo test --offline --no-run
}

erlang()
{
    local erts
    erts=$(echo "$ROOT"/usr/lib/erlang/erts-*/bin)
    ENVIRONMENT+=("ROOTDIR=$ROOT/usr/lib/erlang" "BINDIR=$erts" EMU=beam PROGNAME=erl)
    want "$(printf '%s\n' 333338333350000 500500 sub)" p "../lib/erlang/${erts#"$ROOT/usr/lib/erlang/"}/erlexec" -noshell -eval \
        'io:format("~p~n", [lists:sum([X * X || X <- lists:seq(1, 100000)])]), S = self(), [spawn(fun() -> S ! I end) || I <- lists:seq(1, 1000)], io:format("~p~n", [lists:sum([receive X -> X end || _ <- lists:seq(1, 1000)])]), io:format("~s", [os:cmd("echo sub")]), halt().'
}

postgres()
{
    local bin user=()
    bin=../lib/postgresql/15/bin
    # It refuses root.
    [ "$(id -u)" != 0 ] || user=(unshare --user --map-user=1000 --map-group=1000)
    cat >job <<S
set -e
p() { local n=\$1; shift; env -i ${ENVIRONMENT[*]} LC_ALL=C $ARMX -L "$ROOT" "$ROOT/usr/bin/\$n" "\$@"; }
p $bin/initdb -D d -A trust --no-sync >/dev/null
p $bin/postgres -D d -k "\$PWD" -c listen_addresses= -c fsync=off >log 2>&1 &
trap 'kill -INT \$(head -n 1 d/postmaster.pid)' EXIT
for i in \$(seq 60); do ! p $bin/pg_isready -h "\$PWD" -q || break; sleep 0.5; done
p $bin/createdb -h "\$PWD" t
p $bin/pgbench -h "\$PWD" -q -i -s 2 t
p $bin/pgbench -h "\$PWD" -c 8 -j 2 -t 400 t | grep 'processed: 3200/3200'
p $bin/psql -h "\$PWD" t -Atc "select count(*), sum(aid) from pgbench_accounts; select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history); create extension pgcrypto; select encode(digest('a', 'sha256'), 'hex')" >sql
kill -INT \$(head -n 1 d/postmaster.pid)
wait \$!
trap - EXIT
S
    "${user[@]}" bash job || { tail -n 20 log; return 1; }
    want "$(printf '%s\n' '200000|20000100000' t 'CREATE EXTENSION' ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb)" cat sql
}

scenario()
{
    set -e
    "$PART"
    echo "$PART done"
}
