# go.sh - Go: build and run; goroutines with asynchronous pre-emption, channels, maps, GC.
# test: long guest secs=1800 packages=golang-go,libc-bin,libc6-dev,gcc

scenario()
{
    set -e
    mkdir m
    cat >m/x.go <<'S'
package main

import ("crypto/sha256"; "fmt"; "math"; "os"; "os/exec"; "runtime"; "sort"; "strings"; "sync"; "time")

func spin(stop *bool) { for !*stop { } }
func main() {
	if len(os.Args) > 1 { fmt.Println("child", os.Args[1]); return }
	var wg sync.WaitGroup; var mu sync.Mutex; total := 0; c := make(chan int, 10)
	for i := 0; i < 50; i++ { wg.Add(1); go func(i int) { defer wg.Done(); s := 0; for k := 0; k < 100000; k++ { s = (s*31 + k*i) % 1000003 }; mu.Lock(); total += s; mu.Unlock(); c <- s }(i) }
	go func() { wg.Wait(); close(c) }(); n := 0; for range c { n++ }; fmt.Println(total, n)
	runtime.GOMAXPROCS(2); stop := false; go spin(&stop); go spin(&stop); time.Sleep(50 * time.Millisecond); runtime.GC(); stop = true; fmt.Println("pre-empted")
	m := map[string]int{}; for i := 0; i < 200000; i++ { m[fmt.Sprint("k", i%5000)] += i }; ks := []string{}; for k := range m { ks = append(ks, k) }; sort.Strings(ks); fmt.Println(len(ks), ks[0], m["k77"])
	fmt.Printf("%x %.15g %s\n", sha256.Sum256([]byte(strings.Repeat("x", 100000))), math.Sin(1)*math.Exp(2), runtime.GOARCH)
	func() { defer func() { fmt.Println("recovered:", recover()) }(); var p *int; *p = 1 }()
	out, err := exec.Command(os.Args[0], "x").Output(); fmt.Print(string(out), err, "\n")
}
S
    printf 'module m\ngo 1.19\n' >m/go.mod
    ENVIRONMENT+=("GOROOT=$(echo "$ROOT"/usr/lib/go-*)" "GOCACHE=$PWD/cache" GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0)
    cd m
    p go build -o ../x .
    cd ..
    $ARMX -L "$ROOT" ./x >out
    cat out
    for i in 1 2 3 4 5; do
        $ARMX -L "$ROOT" ./x | cmp - out
    done
    grep -q 'recovered: runtime error: invalid memory address' out
    grep -q 'child x' out
    grep -q pre-empted out
    # Go's own tests.
    ENVIRONMENT+=(GO_TEST_TIMEOUT_SCALE=10)
    p go test -short sync sync/atomic math math/big math/bits strconv sort crypto/sha256 crypto/aes crypto/elliptic hash/crc32 encoding/json >log || { cat log; false; }
    grep -c '^ok' log
    p go test -short -run 'Preempt|Goroutine|GC|Finalizer|Stack|Select|Chan|Sig|Panic|Defer|Lock|Map|Profil' runtime
    rm -rf cache
}
