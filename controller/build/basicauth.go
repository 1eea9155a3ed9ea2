package build

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// maxUsers is how many lines of a Secret are read.
const maxUsers = 10_000

// basicAuth asks for a name and a password. What it can't ask for is closed.
func (t *task) basicAuth(s *site) {
	a := s.values.BasicAuth
	if a.Type == "" || t.open(s.slot) {
		return
	}
	if a.Secret == "" {
		t.closedAs(s, "auth-type", "has no auth-secret beside it", model.Wrong)
		return
	}
	secret, err := t.secretOf(s.claim.ingress, a.Secret)
	if err != nil {
		t.closedBy(s, "auth-secret", err)
		return
	}
	lines, err := linesOf(secret, a.Map)
	if err != nil {
		t.closedBy(s, "auth-secret", fmt.Errorf("the Secret %s/%s %w", secret.Namespace, secret.Name, err))
		return
	}
	parse := basicUser
	if a.Type == "digest" {
		parse = func(line string) string { return digestUser(line, a) }
	}
	users, wrong := parseUsers(lines, parse)
	if wrong > 0 {
		t.elsewhere(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/auth-secret",
			fmt.Errorf("the Secret %s/%s has %d lines that are no user of %s authentication and its realm, or are there twice; they are left out", secret.Namespace, secret.Name, wrong, a.Type), "")
	}
	if len(users) == 0 {
		t.closedBy(s, "auth-secret", fmt.Errorf("the Secret %s/%s has no user", secret.Namespace, secret.Name))
		return
	}
	if a.Type == "digest" {
		s.route.Digest = model.Digest{Realm: a.Realm, Users: option.ListOf(users...)}
		s.location.Phases.Access = true
		s.location.Digest = true
		return
	}
	s.location.BasicAuth = model.BasicAuth{File: t.file([]byte(strings.Join(users, "\n")+"\n"), false), Realm: a.Realm}
}

// linesOf are the Secret's users, a line each. A map's keys are sorted, so that
// equal Secrets give equal files.
func linesOf(secret *corev1.Secret, isMap bool) ([]string, error) {
	if isMap {
		var lines []string
		for _, user := range slices.Sorted(maps.Keys(secret.Data)) {
			lines = append(lines, user+":"+strings.TrimSpace(string(secret.Data[user])))
		}
		return lines, nil
	}
	content, ok := secret.Data["auth"]
	if !ok {
		return nil, fmt.Errorf("has no key auth")
	}
	return strings.Split(string(content), "\n"), nil
}

// parseUsers prints each line afresh, and counts those that are wrong.
func parseUsers(lines []string, parse func(string) string) (users []string, wrong int) {
	seen := map[string]bool{}
	for _, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user := parse(line)
		name, _, _ := strings.Cut(user, ":")
		if user == "" || seen[name] || len(users) == maxUsers {
			wrong++
			continue
		}
		seen[name] = true
		users = append(users, user)
	}
	return users, wrong
}

// A name of up to 255 bytes without controls, and a hash in printable ASCII,
// which may not be empty. A third part is a comment.
var basicLine = regexp.MustCompile(`^([^:#\x00-\x1f\x7f][^:\x00-\x1f\x7f]{0,254}):([!-9;-~](?:[ -9;-~]{0,254}[!-9;-~])?)(?::.*)?$`)

// basicUser is "name:hash", "" for what is none.
func basicUser(line string) string {
	m := basicLine.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return m[1] + ":" + m[2]
}

var digestLine = regexp.MustCompile(`^([^:"\\\x00-\x1f\x7f]{1,255}):(?:([^:]*):)?([0-9a-fA-F]{32})$`)

// digestUser is "name:hash", "" for what is none or belongs to another realm,
// with which the hash was made. A map may leave out the realm.
func digestUser(line string, a annotation.BasicAuth) string {
	m := digestLine.FindStringSubmatch(strings.TrimRight(line, " "))
	if m == nil {
		return ""
	}
	bare := strings.Count(line, ":") == 1
	if bare && !a.Map || !bare && m[2] != a.Realm {
		return ""
	}
	return m[1] + ":" + strings.ToLower(m[3])
}
