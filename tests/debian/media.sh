# media.sh - ffmpeg: makes a picture and a sound, encodes and decodes them, compares checksums.
# test: long guest secs=900 packages=ffmpeg,libc-bin

scenario()
{
    set -e
    p ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=10:duration=3 -pix_fmt yuv420p -f rawvideo -y in.yuv
    sha256sum in.yuv
    # What both machines' code makes the same of: otherwise each has its own rounding.
    local in=(-v error -idct simple -i x.mkv) out=(-sws_flags bitexact+accurate_rnd -pix_fmt yuv420p -f rawvideo -y)
    for codec in mpeg4 libx264 ffv1 mjpeg libvpx; do
        p ffmpeg -v error -f rawvideo -s 160x120 -pix_fmt yuv420p -r 10 -i in.yuv -c:v $codec -threads 2 -strict -1 -y x.mkv
        p ffmpeg "${in[@]}" "${out[@]}" out.yuv
        [ "$(stat -c %s out.yuv)" = "$(stat -c %s in.yuv)" ]
        [ $codec != ffv1 ] || cmp in.yuv out.yuv
        # Both machines decode one stream to the same picture.
        if command -v ffmpeg >/dev/null; then
            ffmpeg "${in[@]}" "${out[@]}" native.yuv </dev/null
            cmp out.yuv native.yuv
        fi
        echo "$codec done"
    done
    p ffmpeg -v error -f lavfi -i sine=frequency=440:duration=2 -c:a flac -y x.flac
    p ffmpeg -v error -i x.flac -f s16le -y x.pcm
    p ffmpeg -v error -f lavfi -i sine=frequency=440:duration=2 -f s16le -y y.pcm
    cmp x.pcm y.pcm
    p ffmpeg -v error -i x.flac -c:a aac -y x.m4a
}
