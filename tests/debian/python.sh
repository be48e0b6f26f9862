# python.sh - Python's own tests.
# test: guest secs=400 parts=math,float,struct,json,re,threading,subprocess,signal,mmap,socket,ctypes
# test: longparts=asyncio,multiprocessing_fork,multiprocessing_spawn,long,thread,zlib,hashlib,array
# test: longparts=bytes,list,unicode,generators,exceptions,itertools,decimal,sqlite3,lzma,bz2,select
# test: longparts=poll,os,posix,io,mailbox,tarfile,zipfile,pickle,set,dict,codecs,ssl,statistics

scenario()
{
    # Tests that look at the machine, or that fail natively as root in a container, are left out.
    p python3 -B -m test -q --timeout 250 "test_$PART" \
        -i '*gdb*' -i '*large*' -i '*huge*' 2>&1 | tail -n 60
    return "${PIPESTATUS[0]}"
}
