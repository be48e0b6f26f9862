# containers.sh - crun and runc, which execute a copy of themselves and set up namespaces, mounts and seccomp filters; gjs, whose
# JIT moves SP behind a stack pointer of its own.
# test: long guest secs=300 parts=crun,runc,gjs packages=crun,runc,busybox-static,gjs,libc-bin

# container PROGRAM OPTION...: a shell of busybox in a container of its own. The control groups are cgroup2's, whatever the machine shows.
container()
{
    local own='mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
    unshare -m bash -c "$own" - true 2>/dev/null || { echo "needs root, mount namespaces, cgroup2"; exit 77; }
    local program=$1
    shift
    mkdir -p rootfs/bin rootfs/proc rootfs/dev rootfs/sys rootfs/tmp run
    cp "$(find "$ROOT/usr/bin" -name busybox -type f)" rootfs/bin/busybox
    ln -s busybox rootfs/bin/sh
    p "$program" spec
    python3 - <<'E'
import json
c = json.load(open("config.json"))
c["process"]["terminal"] = False
c["process"]["args"] = ["/bin/sh", "-c", "busybox id -u; busybox uname -m; echo $$; busybox readlink /proc/self/exe; busybox ls -a / | busybox wc -l"]
c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_AARCH64"],
                         "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}
json.dump(c, open("config.json", "w"))
E
    want "$(printf '%s\n' 0 aarch64 1 /bin/busybox 7)" unshare -m bash -c "$own" - env -i "${ENVIRONMENT[@]}" $ARMX -L "$ROOT" "$ROOT/usr/bin/$program" "$@" run "test-$$"
}

crun()
{
    prlimit --memlock=unlimited true 2>/dev/null || { echo "needs CAP_SYS_RESOURCE"; exit 77; }
    container crun --root "$PWD/run"
}

runc()
{
    container ../sbin/runc --root "$PWD/run"
}

gjs()
{
    cat >x.js <<'S'
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
let s = 0;
for (let i = 0; i < 1e7; i++) s += i % 7;
print(fib(27), s, 'ab12'.repeat(1e5).replace(/[a-z]+(\d+)/g, '$1').length, typeof imports.gi.GLib.get_prgname());
try { (function f() { f() })() } catch (e) { print(e.name) }
S
    ENVIRONMENT+=("GI_TYPELIB_PATH=$ROOT/usr/lib/aarch64-linux-gnu/girepository-1.0:$ROOT/usr/lib/aarch64-linux-gnu/gjs/girepository-1.0")
    want "$(printf '%s\n' '196418 29999994 200000 string' InternalError)" p gjs-console x.js
}

scenario()
{
    set -e
    "$PART"
    echo "$PART done"
}
