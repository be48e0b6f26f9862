# python.sh - Python's own tests.
# test: guest secs=900 parts=math,float,struct,json,re,threading,subprocess,signal,mmap,socket,ctypes
# test: longparts=asyncio,multiprocessing_fork,multiprocessing_spawn,long,thread,zlib,hashlib,array
# test: longparts=bytes,list,unicode,generators,exceptions,itertools,decimal,lzma,bz2,select
# test: longparts=poll,os,posix,io,mailbox,tarfile,zipfile,pickle,set,dict,codecs,ssl,statistics

scenario()
{
    # Left out: what looks at the machine (a virtual machine has a VSOCK that nobody answers).
    p python3 -B -m test -q -W --timeout 800 "test_$PART" \
        -i '*gdb*' -i '*large*' -i '*huge*' -i '*VSOCK*' 2>&1 | tail -n 200
    return "${PIPESTATUS[0]}"
}
