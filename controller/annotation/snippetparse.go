package annotation

import (
	"fmt"
	"strings"
)

// A scanner reads nginx's syntax: words, quoted or bare, and ; { }.
type scanner struct {
	text string
	at   int
}

// next is a word, or one of nginx's marks, which word says it is not. At the
// end, mark is 0 and word false.
func (s *scanner) next() (text string, mark byte, word bool, err error) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			s.at++
		case c == '#':
			s.line()
		case c == ';' || c == '{' || c == '}':
			s.at++
			return "", c, false, nil
		case c == '"' || c == '\'':
			s.at++
			text, err := s.quoted(c)
			return text, 0, true, err
		default:
			text, err := s.bare()
			return text, 0, true, err
		}
	}
	return "", 0, false, nil
}

func (s *scanner) line() {
	end := strings.IndexByte(s.text[s.at:], '\n')
	if end < 0 {
		end = len(s.text) - s.at
	}
	s.at += end
}

func (s *scanner) quoted(mark byte) (string, error) {
	var b strings.Builder
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == mark:
			if s.at < len(s.text) && !strings.ContainsRune(" \t\r\n;{)", rune(s.text[s.at])) {
				return "", fmt.Errorf("text follows the quote of %.60q at once", b.String())
			}
			return b.String(), nil
		case c == '\\' && s.at < len(s.text):
			s.escape(&b)
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", fmt.Errorf("a control character is in the quoted %.60q", b.String())
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("a quote is not closed")
}

func (s *scanner) bare() (string, error) {
	var b strings.Builder
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '{' && strings.HasSuffix(b.String(), "$"): // ${name}
		case strings.IndexByte(" \t\r\n;{", c) >= 0:
			return b.String(), nil
		case c == '}' && !strings.Contains(b.String(), "${"):
			return "", fmt.Errorf("a } stands in %.60q", b.String())
		case c < ' ' || c == 0x7f:
			return "", fmt.Errorf("a control character follows %.60q", b.String())
		case c == '\\' && s.at+1 < len(s.text):
			s.at++
			s.escape(&b)
			continue
		}
		b.WriteByte(c)
		s.at++
	}
	return b.String(), nil
}

// escape undoes a backslash as nginx does: before a quote and itself alone.
func (s *scanner) escape(b *strings.Builder) {
	c := s.text[s.at]
	if c != '"' && c != '\'' && c != '\\' {
		b.WriteByte('\\')
		return // the next turn reads what follows
	}
	b.WriteByte(c)
	s.at++
}

// mostDepth is that of a location's if in a server.
const mostDepth = 3

// parseDirectives reads all of a text.
func parseDirectives(text string) ([]directive, error) {
	s := &scanner{text: text}
	all, err := s.directives(0)
	if err == nil && s.at < len(text) {
		err = fmt.Errorf("a } closes nothing")
	}
	return all, err
}

func (s *scanner) directives(depth int) ([]directive, error) {
	all := []directive{}
	var words []string
	for {
		text, mark, word, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case word:
			words = append(words, text)
		case mark == ';' && len(words) > 0:
			all = append(all, directive{words: words})
			words = nil
		case mark == '{' && len(words) > 0 && depth < mostDepth:
			block, err := s.directives(depth + 1)
			if err != nil {
				return nil, err
			}
			all = append(all, directive{words: words, block: block})
			words = nil
		case len(words) > 0:
			return nil, fmt.Errorf("directive %.60q does not end in a semicolon", words[0])
		case mark == 0 && depth > 0:
			return nil, fmt.Errorf("a { is not closed")
		case mark == 0:
			return all, nil
		case mark == '}' && depth > 0:
			return all, nil
		case mark == '}':
			return nil, fmt.Errorf("a } closes nothing")
		default:
			return nil, fmt.Errorf("a %c stands where a directive should", mark)
		}
	}
}
