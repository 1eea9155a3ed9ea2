package nginx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// A ConfigError says why nginx refuses a configuration.
type ConfigError struct {
	Line    int    // in nginx.conf; 0: nginx names none
	Message string // nginx's own words, without the file's name
}

func (e *ConfigError) Error() string {
	if e.Line == 0 {
		return "nginx.conf: " + e.Message
	}
	return fmt.Sprintf("nginx.conf:%d: %s", e.Line, e.Message)
}

var (
	// Both "nginx: [emerg] words" and "2026/01/02 03:04:05 [emerg] 12#12: words".
	emergLine = regexp.MustCompile(`(?m)\[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(?:\*\d+ )?(.*)$`)
	// nginx ends a complaint about a file's text by the file's name and line.
	inFile = regexp.MustCompile(`^(.*?) in \S+:(\d+)$`)
)

// complaint returns what nginx said first, or nil. An error that is not about
// the text of a file, such as a port in use, is no *ConfigError.
func complaint(said []byte) error {
	found := emergLine.FindSubmatch(said)
	if found == nil {
		return nil
	}
	words := string(found[1])
	if at := inFile.FindStringSubmatch(words); at != nil {
		line, _ := strconv.Atoi(at[2])
		return &ConfigError{Line: line, Message: at[1]}
	}
	return errors.New(words)
}

// said returns how much nginx has written to its file of last words.
func (n *Nginx) said() int64 {
	info, err := os.Stat(n.paths.emerg)
	if err != nil {
		return 0
	}
	return info.Size()
}

// lastWords returns what nginx has written to that file after so many bytes.
func (n *Nginx) lastWords(after int64) []byte {
	text, err := os.ReadFile(n.paths.emerg)
	if err != nil || int64(len(text)) <= after {
		return nil
	}
	return text[after:]
}

// surrender is complaint, but nil as long as nginx has not given up: where an
// address is in use it tries again, five times in 2.5 seconds.
func surrender(text []byte) error {
	if bytes.Contains(text, []byte("Address already in use")) &&
		!bytes.Contains(text, []byte("still could not bind()")) {
		return nil
	}
	return complaint(text)
}
