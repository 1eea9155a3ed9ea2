package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// A row is one line of the table.
type row struct {
	measure  string
	reach    string // what it must reach; "" where nothing is asked
	measured string
	verdict  verdict
	of       string // what the figure was made from
}

// A verdict says whether a measured figure reaches what it must.
type verdict string

const (
	unasked     verdict = "-"
	reached     verdict = "yes"
	missed      verdict = "NO"
	notMeasured verdict = "NOT MEASURED"
)

func verdictOf(ok bool) verdict {
	if ok {
		return reached
	}
	return missed
}

// unmeasured is the row of a measure that could not be taken.
func unmeasured(measure string, err error) row {
	return row{measure: measure, measured: "", verdict: notMeasured, of: oneLine(err.Error())}
}

// oneLine keeps a text that came from a program's output inside its row.
func oneLine(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch r {
		case '\n', '\r', '\t', '\v', '\f':
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}

// printTable writes the rows under their headings, in columns.
func printTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MEASURE\tREACH\tMEASURED\tREACHED\tOF")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.measure, dash(r.reach), dash(r.measured), r.verdict, r.of)
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ms prints a duration in milliseconds.
func ms(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// latency is the row of a measure that takes times: it must reach the two
// bounds for the median and for the 99th percentile.
func latency(measure string, times []time.Duration, p50, p99 time.Duration, of string) row {
	m, n := quantile(times, 0.5), quantile(times, 0.99)
	return row{
		measure:  measure,
		reach:    fmt.Sprintf("p50 ≤ %d ms, p99 ≤ %d ms", p50.Milliseconds(), p99.Milliseconds()),
		measured: fmt.Sprintf("p50 %s, p99 %s", ms(m), ms(n)),
		verdict:  verdictOf(len(times) > 0 && m <= p50 && n <= p99),
		of:       fmt.Sprintf("%d trials, max %s; %s", len(times), ms(quantile(times, 1)), of),
	}
}
