# python.sh - Python's own tests.
# test: guest secs=300 parts=math,float,struct,json,re,threading,subprocess,signal,asyncio,mmap,socket,ctypes,multiprocessing_fork,long,thread,zlib,hashlib,array,bytes,list,unicode,generators,exceptions,itertools,decimal,sqlite3,lzma,bz2,select,poll,os,posix,io

scenario()
{
    # Tests that look at the machine, or that fail natively as root in a container, are left out.
    p python3 -B -m test -q --timeout 250 "test_$PART" \
        -i '*gdb*' -i '*large*' -i '*huge*' 2>&1 | tail -n 60
    return "${PIPESTATUS[0]}"
}
