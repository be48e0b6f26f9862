# fileutils.sh - coreutils on files, findutils, tar, du: trees, links, modes, times.
# test: secs=90

scenario()
{
    umask 022
    p mkdir -p a/b/c d
    p touch -d '2020-01-02 03:04:05' a/f1 a/b/f2
    p cp -a a e
    p ln -s ../a/f1 d/link
    p ln a/f1 d/hard
    p dd if=$GPL of=a/b/c/data bs=512 count=20 skip=3 2>/dev/null
    p chmod 640 a/b/c/data
    p chmod u+x,g-r a/f1
    p install -m 600 $GPL d/installed
    p truncate -s 12345 d/sparse
    p mv e/b e/moved
    p stat -c '%n %s %a %F %h' a/f1 d/link d/sparse a/b/c/data
    p ls -1RF --group-directories-first . | p grep -v '^total'
    p ls -l --time-style=+%F a | p awk '{ print $1, $2, $5, $6, $7 }'
    p ls /nonexistent
    p find . -type f -name '*f*' -printf '%P %s %m %n\n' | p sort
    p find a -newer a/f1 -print0 | p sort -z | p tr "\0" "\n"
    p find . -type f -size +1k -exec sha256sum {} + | p sort
    p find . -empty | p sort
    p seq 100 | p xargs -n 7 -P 2 echo | p wc -l
    p realpath --relative-to=d a/b
    p readlink d/link
    p basename /x/y.txt .txt
    p dirname /x/y/z
    p test -L d/link && echo is a link
    p rm -rf e/moved
    # An empty folder under -L does not hide the machine's.
    t=$(p mktemp -d)
    p find "${t%/*}" -maxdepth 1 -name "${t##*/}" | p wc -l
    p rmdir "$t"
    p rmdir a
    p tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf t.tar a d
    p sha256sum t.tar
    p tar -tvf t.tar --utc
    mkdir out
    p tar -C out -xf t.tar
    p diff -r a out/a && echo same tree
    p env -i X=1 env
    p nice -n 5 nice
    p timeout 0.2 sleep 10
    echo "timeout $?"
    p mktemp -u XXXXXXXX | p wc -c
    p sync t.tar
    p du --apparent-size -b d/installed | p cut -f1
    p wc $GPL </dev/null
    p file -b t.tar d/link $GPL
    p tee x y <$GPL | p cksum
    p mkfifo fifo
    p cat fifo >z & p cp $GPL fifo 2>/dev/null || p dd if=$GPL of=fifo 2>/dev/null
    wait
    p rm fifo
    p nproc >/dev/null && p uname -s
    p id -u
    p pwd -P
}
