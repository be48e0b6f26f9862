# more.sh - more of what people run: compilers of other languages and their JITs, builds by CMake, numbers in Fortran, NumPy and R,
# MariaDB from its first start, valgrind, bubblewrap. Results that are not obvious are native ones.
# test: long guest secs=900 parts=jits,builds,numbers,mariadb,tools packages=pypy3,luajit,sbcl,ocaml-nox,swi-prolog-nox,r-base-core,cmake,ninja-build,clang,gfortran,python3-numpy,zsh,bubblewrap,gdb,strace,imagemagick,mariadb-server-core,mariadb-client-core,gcc,g++,libc6-dev,make,bash,coreutils,grep,sed,dash,valgrind

jits()
{
    cat >x.lua <<'S'
local ffi = require 'ffi' ffi.cdef 'double sqrt(double);'
local s = 0 for i = 1, 2e7 do s = s + (i % 7) * 1.5 end print(s, jit.arch)
local t = {} for i = 1, 1e5 do t[i] = tostring(i):rep(2) end print(#table.concat(t), ffi.C.sqrt(2))
local c = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(c(), c(), c())
S
    want "$(printf '%s\t%s\n' 90000004.5 arm64 977790 1.4142135623731 1 $'2\t3')" p luajit x.lua
    cat >x.py <<'S'
import subprocess, threading
def f(n):
    s = 0
    for i in range(n): s += (i * i) % 7
    return s
r = []
t = [threading.Thread(target=lambda k=k: r.append(f(100000 + k))) for k in range(4)]
[x.start() for x in t]; [x.join() for x in t]; print(f(3000000), sorted(r), subprocess.check_output(["echo", "sub"]))
S
    want "5999999 [199999, 200003, 200004, 200004] b'sub\n'" p pypy3 x.py
    cat >x.lisp <<'S'
(defun fib (n) (declare (fixnum n)) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(format t "~a ~a ~a~%" (fib 27) (expt 2 100) (handler-case (/ 1 0) (division-by-zero () 'dz)))
(format t "~a~%" (mapcar #'sb-thread:join-thread (loop for i below 4 collect
  (let ((i i)) (sb-thread:make-thread (lambda () (let ((l nil)) (dotimes (k 300000) (push k l)) (+ i (length l)))))))))
(gc :full t)
(format t "~a~%" (handler-case (labels ((f (n) (+ 1 (f n)))) (f 1)) (storage-condition () 'deep)))
S
    ENVIRONMENT+=("SBCL_HOME=$ROOT/usr/lib/sbcl")
    want "$(printf '%s\n' '196418 1267650600228229401496703205376 DZ' '(300000 300001 300002 300003)' DEEP)" \
        p sbcl --core /usr/lib/sbcl/sbcl.core --noinform --non-interactive --no-userinit --no-sysinit --load x.lisp 2>/dev/null
    cat >x.ml <<'S'
let rec fib n = if n < 2 then n else fib (n-1) + fib (n-2)
exception E of int
let rec deep n = 1 + deep (n + 1)
let () = Printf.printf "%d\n" (fib 27); (try raise (E 3) with E n -> Printf.printf "E %d\n" n);
  try ignore (deep 0) with Stack_overflow -> print_endline "overflow"
S
    ENVIRONMENT+=("OCAMLLIB=$ROOT/usr/lib/ocaml" CAML_LD_LIBRARY_PATH=/usr/lib/ocaml/stublibs)
    p ocamlopt -o x x.ml
    want "$(printf '%s\n' 196418 'E 3' overflow)" $ARMX -L "$ROOT" ./x
    ENVIRONMENT+=("SWI_HOME_DIR=$ROOT/usr/lib/swi-prolog")
    want '[7777,15554,23331]' p swipl -g 'findall(X, (between(1, 30000, X), 0 is X mod 7777), L), writeln(L)' -t halt
    want "$(printf '%s\n' 1 2 3 1 2 3 SUB)" \
        p zsh -fc 'a=(3 1 2); print -l ${(on)a}; for i in {1..3}; do (exit $i) || print $?; done; x=$(echo sub | tr a-z A-Z); print $x'
}

builds()
{
    mkdir c
    cat >c/CMakeLists.txt <<'S'
cmake_minimum_required(VERSION 3.20)
project(t C CXX)
find_package(Threads REQUIRED)
add_library(a SHARED a.cc)
add_executable(m m.c)
target_link_libraries(m a Threads::Threads)
enable_testing()
add_test(NAME m COMMAND m)
S
    cat >c/a.cc <<'S'
#include <algorithm>
#include <vector>
extern "C" int a(void) { std::vector<int> v{3, 1, 2}; std::sort(v.begin(), v.end()); try { throw v[2]; } catch (int i) { return i; } }
S
    echo 'int a(void); int main(void) { return a() != 3; }' >c/m.c
    ENVIRONMENT+=("CMAKE_ROOT=$(echo "$ROOT"/usr/share/cmake-[0-9]*)")
    p cmake -G Ninja -S c -B gcc
    p cmake --build gcc
    p ctest --test-dir gcc
    p cmake -G 'Unix Makefiles' -S c -B clang -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
    p cmake --build clang -j 2
    p ctest --test-dir clang
}

numbers()
{
    cat >x.f90 <<'S'
program p
    use, intrinsic :: iso_fortran_env
    real(real64) :: a(200, 200), s
    real(real128) :: q
    integer :: i
    do i = 1, 200
        a(:, i) = sin([(real(i * k, 8), k = 1, 200)])
    end do
    s = sum(matmul(a, a))
    q = sqrt(2.0_real128)
    !$omp parallel do reduction(+:s)
    do i = 1, 1000
        s = s + 1
    end do
    print '(f12.6,f36.32)', s, q
end program
S
    p gfortran -O3 -fopenmp -o x x.f90
    want "15123.584818  1.41421356237309504880168872420970" $ARMX -L "$ROOT" -E OMP_NUM_THREADS=4 ./x
    ENVIRONMENT+=("PYTHONPATH=$ROOT/usr/lib/python3/dist-packages" "R_HOME=$ROOT/usr/lib/R" EDITOR=vi PAGER=cat
        LD_LIBRARY_PATH=/usr/lib/R/lib:/usr/lib/aarch64-linux-gnu/blas:/usr/lib/aarch64-linux-gnu/lapack)
    want 'True 0.0 [0, 199, 399, 599, 800] 4.5' p python3 -B -c '
import numpy as np
a = np.random.default_rng(1).random((300, 300))
b = np.sort(np.random.default_rng(2).integers(0, 1000, 100000))[::20000]
print(np.allclose(np.linalg.inv(a) @ a, np.eye(300)), np.fft.fft(np.arange(8)).real.sum(), b.tolist(), np.float16(1.5) * np.float16(3))'
    cat >x.R <<'S'
set.seed(1); print(round(mean(rnorm(1e5)), 6)); m <- matrix(runif(40000), 200); print(round(sum(solve(m) %*% m), 6))
print(tryCatch(stop("e"), error = function(e) conditionMessage(e))); print(summary(lm(dist ~ speed, cars))$r.squared)
print(tryCatch({g <- function(n) g(n + 1); g(1)}, error = function(e) "deep"))
print(unlist(parallel::mclapply(1:4, function(i) i^2, mc.cores = 2)))
S
    p ../lib/R/bin/exec/R --vanilla --no-echo -f x.R >r || return 1
    want "$(printf '[1] %s\n' -0.002244 200 '"e"' 0.6510794 '"deep"' ' 1  4  9 16')" grep -v Renviron r
}

mariadb()
{
    local d=$PWD/data options t=$ROOT/usr/share/mysql
    mkdir -p data/mysql
    options=(--no-defaults "--datadir=$d" "--lc-messages-dir=$t" "--socket=$d/s" --skip-networking --user=root --innodb-buffer-pool-size=32M)
    { echo 'use mysql;'; cat "$t"/mysql_system_tables.sql "$t"/mysql_performance_tables.sql "$t"/mysql_system_tables_data.sql; } >sql
    p ../sbin/mariadbd "${options[@]}" --bootstrap <sql >log 2>&1 || { tail log; return 1; }
    env -i "${ENVIRONMENT[@]}" $ARMX -L "$ROOT" "$ROOT/usr/sbin/mariadbd" "${options[@]}" >log 2>&1 &
    trap "kill $!" EXIT
    for _ in $(seq 120); do ! [ -S data/s ] || break; sleep 0.5; done
    want "$(printf '%s\n' $'20000\t200010000\tx9999' 384c3a3196884730e3468dfdc86dfc3c $'1.4142135623730951\t2')" \
        p mariadb --no-defaults -S "$d/s" -u root -N -e 'create database t; use t;
            create table a(i int primary key auto_increment, s varchar(50), key(s)) engine = innodb;
            insert into a(s) select concat("x", seq) from seq_1_to_20000; select count(*), sum(i), max(s) from a;
            select md5(group_concat(s order by i)) from (select * from a limit 1000) q;
            select sqrt(2), json_extract("{\"a\":[1,2]}", "$.a[1]"); shutdown'
    wait $!
    trap - EXIT
}

tools()
{
    ENVIRONMENT+=("VALGRIND_LIB=$ROOT/usr/libexec/valgrind")
    p valgrind --error-exitcode=9 "$ROOT/usr/bin/true"
    want 'in a sandbox' p bwrap --ro-bind / / --proc /proc --dev /dev --unshare-all "$ROOT/usr/bin/echo" 'in a sandbox'
    p convert-im6.q16 -size 100x100 gradient:red-blue -rotate 30 x.jpg
    p identify-im6.q16 x.jpg | grep 'JPEG 138x138'
    # Nobody can be traced: they say so at once.
    ! p strace "$ROOT/usr/bin/true" 2>err || return 1
    grep ptrace err
    ! p gdb -nx -batch -ex run "$ROOT/usr/bin/true" >err 2>&1 || return 1
    grep 'not permitted' err
}

scenario()
{
    set -e
    "$PART"
    echo "$PART done"
}
