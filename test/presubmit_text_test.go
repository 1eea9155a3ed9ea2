package test

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

func cleanText(f source) []string {
	if !utf8.ValidString(f.text) {
		return []string{"is not text: make it where it is needed instead of keeping it here"}
	}
	var findings []string
	if strings.Contains(f.text, "\r\n") {
		findings = append(findings, "has CRLF line ends: use LF")
	}
	if f.text != "" && !strings.HasSuffix(f.text, "\n") {
		findings = append(findings, "has no newline at its end: add it")
	}
	// A golden file's spaces are what is tested.
	if !strings.HasSuffix(f.path, ".txtar") && !strings.Contains(f.path, "/testdata/") {
		if n := lineOf(trailing, f.text); n > 0 {
			findings = append(findings, fmt.Sprintf("line %d ends in spaces: cut them", n))
		}
	}
	if most, ok := maxTextLines[f.path]; ok && strings.Count(f.text, "\n") >= most {
		findings = append(findings, fmt.Sprintf("has %d lines or more: move what is detail to where it belongs", most))
	}
	return findings
}

var trailing = regexp.MustCompile(`(?m)[ \t]+$`)

// maxTextLines are the lengths that a reader was promised.
var maxTextLines = map[string]int{"README.md": 80}

// machinePath finds folders of one developer's machine. It is put together
// here so as not to find itself.
var machinePath = regexp.MustCompile(`(^|[\s"'(=:` + "`" + `])/(` + strings.Join([]string{"work", "root", "home", "Users", `tmp/\w`}, "|") + `)/`)

func noMachinePaths(f source) []string {
	if n := lineOf(machinePath, f.text); n > 0 {
		return []string{fmt.Sprintf("line %d names a folder of somebody's machine: use a relative path or a temp folder", n)}
	}
	return nil
}

var openEnd = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

func noOpenEnds(f source) []string {
	if n := lineOf(openEnd, f.text); n > 0 {
		return []string{fmt.Sprintf("line %d leaves something for later: do it, or open an issue", n)}
	}
	return nil
}

// lineOf is the number of the first line that matches, or 0.
func lineOf(pattern *regexp.Regexp, text string) int {
	at := pattern.FindStringIndex(text)
	if at == nil {
		return 0
	}
	return 1 + strings.Count(text[:at[0]], "\n")
}

// isManual says whether people read the file to know what to do.
func (f source) isManual() bool { return path.Ext(f.path) == ".md" }

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// linksIn holds that a relative link in Markdown leads to a file or folder.
func linksIn(tree map[string]source) rule {
	return func(f source) []string {
		if !f.isManual() {
			return nil
		}
		var findings []string
		for _, m := range link.FindAllStringSubmatch(f.text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			if !exists(tree, path.Join(path.Dir(f.path), target)) {
				findings = append(findings, "links to "+target+", which isn't there: mend the link")
			}
		}
		return findings
	}
}

func exists(tree map[string]source, name string) bool {
	if _, ok := tree[name]; ok || name == "." {
		return true
	}
	for p := range tree {
		if strings.HasPrefix(p, name+"/") {
			return true
		}
	}
	return false
}

var (
	makeCall   = regexp.MustCompile("(?m)(?:^ *|`)make ([a-z][a-z0-9-]*)")
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
)

// targetsIn holds that what the manuals say to make can be made.
func targetsIn(tree map[string]source) rule {
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(tree["Makefile"].text, -1) {
		targets[m[1]] = true
	}
	return func(f source) []string {
		if !f.isManual() && f.path != ".ci/run" {
			return nil
		}
		var findings []string
		for _, m := range makeCall.FindAllStringSubmatch(f.text, -1) {
			if !targets[m[1]] {
				findings = append(findings, "says make "+m[1]+", which the Makefile doesn't have: mend one of them")
			}
		}
		return findings
	}
}

var (
	ourFlag = regexp.MustCompile(`sallyport"?(?:\\\n|[^#\n])*`)
	aFlag   = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)
	literal = regexp.MustCompile(`"[a-z][a-z0-9-]*"`)
)

// flagsIn holds that each flag that a manual or the quickstart gives to
// sallyport or sallyport-proxier is defined by a command.
func flagsIn(tree map[string]source) rule {
	defined := map[string]bool{"help": true}
	for p, f := range tree {
		if strings.HasPrefix(p, "cmd/") && !f.isTest() {
			for _, l := range literal.FindAllString(f.text, -1) {
				name, _ := strconv.Unquote(l)
				defined[name] = true
			}
		}
	}
	return func(f source) []string {
		if !f.isManual() && f.path != "test/quickstart/run" {
			return nil
		}
		var findings []string
		for _, command := range ourFlag.FindAllString(f.text, -1) {
			for _, m := range aFlag.FindAllStringSubmatch(command, -1) {
				if !defined[m[1]] {
					findings = append(findings, "gives sallyport the flag --"+m[1]+", which no command defines: mend one of them")
				}
			}
		}
		return findings
	}
}
