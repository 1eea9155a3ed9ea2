package cluster

import (
	"encoding/json"
	"fmt"
	"strings"
)

// An AuditEntry is one request of the controller's, as the API server saw it.
type AuditEntry struct {
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	ObjectRef  struct {
		Resource    string `json:"resource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// String is "verb request-URI status".
func (a AuditEntry) String() string {
	return fmt.Sprintf("%s %s %d", a.Verb, a.RequestURI, a.ResponseStatus.Code)
}

func parseAudit(text string) ([]AuditEntry, error) {
	var all []AuditEntry
	for line := range strings.Lines(text) {
		var a AuditEntry
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return nil, fmt.Errorf("audit log: %w: %s", err, line)
		}
		all = append(all, a)
	}
	return all, nil
}
