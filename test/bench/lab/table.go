package lab

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// A Row is one line of the table.
type Row struct {
	Measure  string
	Reach    string // what it must reach; "" where nothing is asked
	Measured string
	Verdict  Verdict
	Of       string // what the figure was made from
}

// A Verdict says whether a measured figure reaches what it must.
type Verdict string

// The verdicts.
const (
	Unasked     Verdict = "-"
	Reached     Verdict = "yes"
	Missed      Verdict = "NO"
	NotMeasured Verdict = "NOT MEASURED"
)

// VerdictOf is Reached or Missed.
func VerdictOf(ok bool) Verdict {
	if ok {
		return Reached
	}
	return Missed
}

// Unmeasured is the row of a measure that could not be taken.
func Unmeasured(measure string, err error) Row {
	return Row{Measure: measure, Verdict: NotMeasured, Of: OneLine(err.Error())}
}

// OneLine keeps a text that came from a program's output inside its row.
func OneLine(s string) string {
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

// Print writes the rows under their headings, in columns.
func Print(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MEASURE\tREACH\tMEASURED\tREACHED\tOF")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Measure, dash(r.Reach), dash(r.Measured), r.Verdict, r.Of)
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// MS prints a duration in milliseconds.
func MS(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// Latency is the row of a measure that takes times: it must reach the two
// bounds for the median and for the 99th percentile.
func Latency(measure string, times []time.Duration, p50, p99 time.Duration, of string) Row {
	m, n := Quantile(times, 0.5), Quantile(times, 0.99)
	return Row{
		Measure:  measure,
		Reach:    fmt.Sprintf("p50 ≤ %d ms, p99 ≤ %d ms", p50.Milliseconds(), p99.Milliseconds()),
		Measured: fmt.Sprintf("p50 %s, p99 %s", MS(m), MS(n)),
		Verdict:  VerdictOf(len(times) > 0 && m <= p50 && n <= p99),
		Of:       fmt.Sprintf("%d trials, max %s; %s", len(times), MS(Quantile(times, 1)), of),
	}
}
