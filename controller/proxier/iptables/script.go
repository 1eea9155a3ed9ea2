package iptables

import (
	"bytes"
	"sort"
	"strconv"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A rule is what follows -A and the chain's name. Of is the port whose fault it
// is when a kernel doesn't take it; nil where it is nobody's.
type rule struct {
	body string
	of   *plan.ID
}

// A chain is a chain and all its rules.
type chain struct {
	name  string
	rules []rule
}

// A block is what one table is told in one commit: chains with all their rules,
// then chains that go.
type block struct {
	table  string
	heads  bytes.Buffer // ":CHAIN - [0:0]", which makes it or empties it
	bodies bytes.Buffer
	tails  bytes.Buffer // what comes when all rules are there
	owners []span

	headLines, bodyLines int
	written              []string // chains that it rewrites or takes away
}

// A span begins at a line and goes to the next one's.
type span struct {
	line int // 0 is the first of the bodies
	of   *plan.ID
}

func (b *block) chain(c chain) {
	b.head(c.name)
	for _, r := range c.rules {
		b.own(r.of)
		b.bodies.WriteString("-A ")
		b.bodies.WriteString(c.name)
		b.bodies.WriteByte(' ')
		b.bodies.WriteString(r.body)
		b.bodies.WriteByte('\n')
		b.bodyLines++
	}
}

// head makes a chain, or empties it.
func (b *block) head(name string) {
	b.heads.WriteByte(':')
	b.heads.WriteString(name)
	b.heads.WriteString(" - [0:0]\n")
	b.headLines++
	b.written = append(b.written, name)
}

// gone takes a chain away. It is emptied first, with all others: only then no
// rule of it keeps another.
func (b *block) gone(name string) {
	b.head(name)
	b.tail("-X " + name)
}

func (b *block) tail(line string) {
	b.tails.WriteString(line)
	b.tails.WriteByte('\n')
}

func (b *block) own(of *plan.ID) {
	if last := len(b.owners) - 1; last >= 0 && b.owners[last].of == of {
		return
	}
	b.owners = append(b.owners, span{b.bodyLines, of})
}

func (b *block) empty() bool { return b.headLines == 0 && b.tails.Len() == 0 }

// A script is what one iptables-restore reads.
type script []*block

// bytes writes the script. Blocks that say nothing are left out, for even an
// empty one makes iptables-restore fetch the whole table.
func (s script) bytes() []byte {
	var out bytes.Buffer
	for _, b := range s {
		if b.empty() {
			continue
		}
		out.WriteString("*" + b.table + "\n")
		out.Write(b.heads.Bytes())
		out.Write(b.bodies.Bytes())
		out.Write(b.tails.Bytes())
		out.WriteString("COMMIT\n")
	}
	return out.Bytes()
}

// at gives the port that a line is there for, counted from 1 as
// iptables-restore does, or nil.
func (s script) at(line int) *plan.ID {
	line--
	for _, b := range s {
		if b.empty() {
			continue
		}
		line -= 1 + b.headLines
		if line < 0 {
			return nil
		}
		if line < b.bodyLines {
			next := sort.Search(len(b.owners), func(i int) bool { return b.owners[i].line > line })
			return b.owners[next-1].of
		}
		line -= b.bodyLines + bytes.Count(b.tails.Bytes(), []byte("\n")) + 1
		if line < 0 {
			return nil
		}
	}
	return nil
}

// written are the chains of a table that the script rewrites or takes away:
// their rules' counters begin anew.
func (s script) written(table string) []string {
	var all []string
	for _, b := range s {
		if b.table == table {
			all = append(all, b.written...)
		}
	}
	return all
}

// rules are how many it writes into a table.
func (s script) rules(table string) (n int) {
	for _, b := range s {
		if b.table == table {
			n += b.bodyLines
		}
	}
	return n
}

func nobodys(bodies ...string) []rule {
	rules := make([]rule, len(bodies))
	for i, body := range bodies {
		rules[i] = rule{body: body}
	}
	return rules
}

func hexMark(mark uint32) string { return "0x" + strconv.FormatUint(uint64(mark), 16) }
