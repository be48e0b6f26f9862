# report.awk - tables, means and a picture from what bench/run measured.
#
# Lines: NAME KIND GOAL SIDE ROUND CPU WALL PEAK NOTE. Variables: two = there is a second QEMU; svg = file for the picture, or none.
# Ratios are medians over the rounds; a mean is geometric and leaves out what has no such value.
{
    if (!($1 in kind)) {
        order[++rows] = $1
        kind[$1] = $2
        goal[$1] = $3
    }
    cpu[$1, $4, $5] = $6
    wall[$1, $4, $5] = $7
    if ($8 > peak[$1, $4]) {
        peak[$1, $4] = $8
    }
    if ($9 != "-") {
        notes[$1, $4] = $9
    }
    rounds = $5 > rounds ? $5 : rounds
}

function sorted_middle(v, n,   i, j, t)
{
    for (i = 2; i <= n; i++) {
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
            t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
        }
    }
    return n ? v[int((n + 1) / 2)] : 0
}

# Median of CPU time.
function time_of(name, side,   r, n, v)
{
    for (r = 1; r <= rounds; r++) {
        if ((name, side, r) in cpu) {
            v[++n] = cpu[name, side, r]
        }
    }
    return sorted_middle(v, n)
}

# Median of the rounds' ratios a / b.
function ratio(t, name, a, b,   r, n, v)
{
    for (r = 1; r <= rounds; r++) {
        if ((name, a, r) in t && (name, b, r) in t && t[name, b, r] > 0) {
            v[++n] = t[name, a, r] / t[name, b, r]
        }
    }
    return sorted_middle(v, n)
}

function cell(v, format) { return v > 0 ? sprintf(format, v) : "-" }
function mib(name, side) { return (name, side) in peak ? sprintf("%.0f", peak[name, side] / 1024) : "-" }

# The faster QEMU for a workload, or "".
function best(name)
{
    if (!((name, "qemu", 1) in cpu)) {
        return ((name, "qemu2", 1) in cpu) ? "qemu2" : ""
    }
    return ((name, "qemu2", 1) in cpu) && time_of(name, "qemu2") < time_of(name, "qemu") ? "qemu2" : "qemu"
}

function table(k, title,   i, n, name, side, x, faster, note, line, sum_x, n_x, sum_f, n_f, sum_q, n_q, q)
{
    printf "## %s\n\n", title
    printf "| workload | native | QEMU |%s armx | x native | goal | by the clock | faster | peak | note |\n", two ? " newer |" : ""
    printf "|---|---:|---:|%s---:|---:|---:|---:|---:|---:|---|\n", two ? "---:|" : ""
    for (i = 1; i <= rows; i++) {
        name = order[i]
        if (kind[name] != k) {
            continue
        }
        n++
        x = ratio(cpu, name, "armx", "native")
        side = best(name)
        faster = side == "" ? 0 : ratio(cpu, name, side, "armx")
        q = side == "" ? 0 : ratio(cpu, name, side, "native")
        note = ""
        for (s in sides) {
            if ((name, sides[s]) in notes) {
                note = note (note == "" ? "" : ", ") sides[s] ": " notes[name, sides[s]]
            }
        }
        if (goal[name] != "-" && x > goal[name]) {
            note = "*" (note == "" ? "" : " " note)
        }
        if (faster > 0 && faster < 1) {
            note = note " slower than QEMU"
        }
        if (x > 0) { sum_x += log(x); n_x++ }
        if (faster > 0) { sum_f += log(faster); n_f++ }
        if (q > 0) { sum_q += log(q); n_q++ }
        line = sprintf("| %s | %.2f | %s |%s %.2f | %s | %s | %s | %s | %s / %s / %s | %s |", name, time_of(name, "native"),
            cell(time_of(name, "qemu"), "%.1f"), two ? " " cell(time_of(name, "qemu2"), "%.1f") " |" : "", time_of(name, "armx"),
            cell(x, "%.2f"), goal[name], cell(ratio(wall, name, "armx", "native"), "%.2f"), cell(faster, "%.2f"), mib(name, "native"),
            side == "" ? "-" : mib(name, side), mib(name, "armx"), note)
        print line
    }
    if (n_x) {
        printf "\nGeometric means: armx %.2f times native", exp(sum_x / n_x)
        if (n_f) {
            printf ", QEMU %.2f times, armx %.2f times faster than QEMU", exp(sum_q / n_q), exp(sum_f / n_f)
        }
        print "."
    }
    print ""
}

# Bars on a logarithmic scale: armx and the faster QEMU against native, longer is slower.
function bar(y, x, colour, text)
{
    printf "<rect x=\"150\" y=\"%d\" width=\"%.1f\" height=\"6\" fill=\"%s\"/><text x=\"%.1f\" y=\"%d\" class=\"v\">%s</text>\n", y,
        scale(x), colour, 154 + scale(x), y + 6, text >svg
}
function scale(x) { return x > 0.5 ? log(x * 2) / log(2) * 72 : 1 }
function picture(   i, y, name, x, q, side, v)
{
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n", rows * 18 + 60 >svg
    print "<style>.v{font-size:8px}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>" >svg
    print "<text x=\"150\" y=\"16\">CPU time, times native (logarithmic): <tspan fill=\"#1f6fb4\">armx</tspan>, <tspan fill=\"#c9a227\">QEMU</tspan></text>" >svg
    for (v = 1; v <= 256; v *= 2) {
        printf "<line x1=\"%.1f\" y1=\"24\" x2=\"%.1f\" y2=\"%d\" stroke=\"%s\"/><text x=\"%.1f\" y=\"34\" class=\"v\">%d</text>\n", 150 + scale(v),
            150 + scale(v), rows * 18 + 44, v == 1 ? "#888" : "#ddd", 152 + scale(v), v >svg
    }
    for (i = 1; i <= rows; i++) {
        name = order[i]
        y = 38 + (i - 1) * 18
        x = ratio(cpu, name, "armx", "native")
        side = best(name)
        q = side == "" ? 0 : ratio(cpu, name, side, "native")
        printf "<text x=\"144\" y=\"%d\" text-anchor=\"end\">%s</text>\n", y + 10, name >svg
        bar(y, x, "#1f6fb4", cell(x, "%.2f"))
        if (q > 0) {
            bar(y + 7, q, "#c9a227", cell(q, "%.1f"))
        }
    }
    print "</svg>" >svg
}

END {
    split("native qemu qemu2 armx", sides, " ")
    table("kernel", "Kernels")
    table("program", "Programs")
    table("start", "Starts")
    if (svg != "") {
        picture()
    }
}
