package lab

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Measure is one way to take rows of the table.
type Measure struct {
	Name  string
	Take  func(s *Session) []Row
	Extra bool // taken only when it is asked for by name
}

// Measures are in the table's order.
type Measures []Measure

// Choose gives those of a list of names, parted by commas: all but the extra
// ones where it is "".
func (all Measures) Choose(only string) (Measures, error) {
	if only == "" {
		return slices.DeleteFunc(slices.Clone(all), func(m Measure) bool { return m.Extra }), nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !all.Has(name) {
			return nil, fmt.Errorf("%q: no such measure: want some of %s", name, all.Names())
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(m Measure) bool { return !slices.Contains(wanted, m.Name) }), nil
}

// Has says whether one of them has the name.
func (all Measures) Has(name string) bool {
	return slices.ContainsFunc(all, func(m Measure) bool { return m.Name == name })
}

// Names lists the names.
func (all Measures) Names() string {
	var names []string
	for _, m := range all {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// TakeAll takes each measure and prints the table. It says no where one could
// not be taken.
func (all Measures) TakeAll(table, progress io.Writer) (ok bool) {
	var rows []Row
	ok = true
	for _, m := range all {
		var taken []Row
		err := Attempt(m.Name, progress, func(s *Session) { taken = m.Take(s) })
		if err != nil {
			taken = append(taken, Unmeasured(m.Name, err))
			ok = false
		}
		for _, r := range taken { // a run of minutes that is cut short has said something
			fmt.Fprintf(progress, "%s: %s: %s\n", m.Name, r.Measure, strings.TrimSpace(r.Measured+" "+string(r.Verdict)))
		}
		rows = append(rows, taken...)
	}
	if err := Print(table, rows); err != nil {
		fmt.Fprintln(progress, "bench:", err)
		return false
	}
	return ok
}
