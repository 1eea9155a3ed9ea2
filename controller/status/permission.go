package status

import (
	"log/slog"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// permissions logs what the API server does not let us do, once for each kind
// of request: the next one would only be told the same.
type permissions struct {
	log  *slog.Logger
	mu   sync.Mutex
	told map[string]bool
}

func newPermissions(log *slog.Logger) *permissions {
	return &permissions{log: log, told: map[string]bool{}}
}

// refused says whether an error is a lack of permission; needed is what a Role
// has to allow, such as "create, patch events".
func (p *permissions) refused(err error, needed string) bool {
	if !apierrors.IsForbidden(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.told[needed] {
		p.told[needed] = true
		p.log.Error("permission is missing", "needed", needed, "error", err)
	}
	return true
}
