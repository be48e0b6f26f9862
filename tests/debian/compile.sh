# compile.sh - gcc and g++ on large sources: image codecs in one file, a header library full of templates.
# The same assembly as from the cross compiler of the same version; the results run.
# test: long guest secs=1800 parts=stb,templates packages=gcc,g++,libc6-dev,libstb-dev,nlohmann-json3-dev,libc-bin

# both_compile COMPILER SOURCE FLAG...: SOURCE (already preprocessed) to arm.s and, natively, to cross.s.
both_compile()
{
    local compiler=$1 source=$2
    shift 2
    p "$compiler" "$@" -S -o arm.s "$source"
    "aarch64-linux-gnu-$compiler" "$@" -S -o cross.s "$source"
    cmp <(grep -v '\.ident' arm.s) <(grep -v '\.ident' cross.s)
    wc -l <arm.s
}

scenario()
{
    set -e
    case $PART in
    stb)
        cat >x.c <<'S'
#include <stdio.h>
#include <string.h>
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_DXT_IMPLEMENTATION
#define STBI_NO_SIMD
#include <stb/stb_dxt.h>
#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>
#include <stb/stb_image_write.h>
enum { W = 200, H = 150 };
static unsigned char in[W * H * 3], small[64 * 48 * 3];
static void sum(const char *what, const unsigned char *p, int n)
{
    unsigned h = 1;
    for (int i = 0; i < n; i++) h = h * 16777619 ^ p[i];
    printf("%s %d %08x\n", what, n, h);
}
int main(void)
{
    for (int i = 0; i < W * H * 3; i++) in[i] = (unsigned char)((i * i >> 7) ^ (i / W * 3));
    stbi_write_png("x.png", W, H, 3, in, 0);
    stbi_write_jpg("x.jpg", W, H, 3, in, 80);
    stbi_write_bmp("x.bmp", W, H, 3, in);
    stbi_write_tga("x.tga", W, H, 3, in);
    const char *names[] = {"x.png", "x.jpg", "x.bmp", "x.tga"};
    for (int i = 0; i < 4; i++) {
        int w, h, n;
        unsigned char *p = stbi_load(names[i], &w, &h, &n, 3);
        sum(names[i], p, w * h * 3);
        stbi_image_free(p);
    }
    stbir_resize_uint8_srgb(in, W, H, 0, small, 64, 48, 0, 3, -1, 0);
    sum("small", small, sizeof small);
    unsigned char block[64], dxt[16];
    for (int i = 0; i < 64; i++) block[i] = in[i * 37];
    stb_compress_dxt_block(dxt, block, 1, STB_DXT_HIGHQUAL);
    sum("dxt", dxt, 16);
}
S
        p gcc --sysroot="$ROOT" -E -P -o x.i x.c
        both_compile gcc x.i -O3
        both_compile gcc x.i -O2 -ffp-contract=off
        p gcc --sysroot="$ROOT" -o x arm.s -lm
        env -i $ARMX -L "$ROOT" ./x >out
        cat out
        mkdir include native
        ln -s "$ROOT/usr/include/stb" include/
        gcc -O2 -ffp-contract=off -Iinclude -o native/x x.c -lm
        (cd native && ./x) | cmp - out
        for f in x.png x.jpg x.bmp x.tga; do
            cmp $f native/$f
        done
        ;;
    templates)
        cat >t.cc <<'S'
#include <algorithm>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <stdexcept>
#include <variant>
using nlohmann::json;
struct Noise {
    int &n;
    ~Noise() { n++; }
};
static int depth(int n, int &unwound)
{
    Noise noise{unwound};
    if (n == 0) throw std::out_of_range("deep");
    return depth(n - 1, unwound) + 1;
}
int main()
{
    json j = json::parse(R"({"a": [1, 2.5, null, {"b": "\u00fc"}], "n": -12345678901})");
    for (int i = 0; i < 200; i++) j["m"]["k" + std::to_string(i)] = {i, i * 0.25, std::string(i % 7, 'x')};
    std::cout << j.dump().size() << ' ' << json::from_cbor(json::to_cbor(j)).dump().substr(0, 60) << '\n';
    int caught = 0, unwound = 0;
    for (int i = 0; i < 3000; i++) {
        try { if (i % 3 == 0) depth(i % 40, unwound); else if (i % 3 == 1) (void)json::parse("[1,"); else (void)j.at("none"); }
        catch (const std::out_of_range &e) { caught += 1; }
        catch (const json::exception &e) { caught += e.id == 101 ? 10 : 100; }
    }
    std::cout << caught << ' ' << unwound << '\n';
    std::vector<std::future<int>> f;
    for (int t = 0; t < 8; t++)
        f.push_back(std::async(std::launch::async, [t] { int u = 0; if (t % 2) depth(50 + t, u); return t; }));
    for (auto &x : f) { try { std::cout << x.get() << ' '; } catch (std::exception &e) { std::cout << e.what() << ' '; } }
    std::regex r("(\\w+)@(\\w+)\\.com");
    std::string text = "a@b.com, cc@dd.com";
    for (std::sregex_iterator i(text.begin(), text.end(), r), end; i != end; ++i) std::cout << (*i)[2] << ' ';
    std::variant<int, std::string> v = "s";
    try { std::get<int>(v); } catch (const std::bad_variant_access &) { std::cout << "variant\n"; }
}
S
        p g++ --sysroot="$ROOT" -std=c++17 -E -P -o t.ii t.cc
        both_compile g++ t.ii -O2 -std=c++17
        p g++ --sysroot="$ROOT" -o t arm.s
        env -i $ARMX -L "$ROOT" ./t >out
        cat out
        mkdir include
        ln -s "$ROOT/usr/include/nlohmann" include/
        g++ -std=c++17 -O1 -pthread -Iinclude -o native t.cc
        ./native | cmp - out
        ;;
    esac
}
