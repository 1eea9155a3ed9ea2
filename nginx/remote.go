package nginx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// A Remote is an nginx that another process runs in a work folder that both
// share: that process has called Serve. What needs a process of nginx's own is
// asked of it; the rest goes by the folder. It has the methods of an Nginx, but
// none that ends it: a Remote comes and goes, and nginx serves.
type Remote struct {
	*Folder
	version string
	keeper  *http.Client

	mu     sync.Mutex
	exited chan struct{} // guarded by mu
}

// Dial waits until the process that runs nginx in that folder answers.
func Dial(ctx context.Context, dir, version string, log *slog.Logger) (*Remote, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	paths := PathsIn(dir)
	r := &Remote{Folder: folderIn(paths, log), version: version, keeper: dialing(paths.keeper).http}
	told := false
	err := every(ctx, time.Second/10, func() (bool, error) {
		_, err := r.ask(ctx, "/lives", order{})
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			if !told {
				log.Info("waiting for the data plane", "folder", dir)
				told = true
			}
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("the data plane in %s: %w", dir, err)
	}
	return r, nil
}

// ask sends an order and returns what came of it.
func (r *Remote) ask(ctx context.Context, path string, o order) (report, error) {
	var answer report
	body, err := json.Marshal(o)
	if err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://keeper"+path, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	req.Header.Set(versionHeader, r.version)
	resp, err := r.keeper.Do(req)
	if err != nil {
		return answer, fmt.Errorf("the data plane: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("the data plane: %s: %w", path, err)
	}
	return answer, answer.err()
}

// Adopt says whether nginx runs already.
func (r *Remote) Adopt(ctx context.Context) (bool, error) {
	answer, err := r.ask(ctx, "/adopt", order{})
	if answer.Adopted {
		r.watch()
	}
	return answer.Adopted, err
}

// Start is Nginx's.
func (r *Remote) Start(ctx context.Context, conf []byte, data map[string]string) error {
	_, err := r.ask(ctx, "/start", order{Conf: conf, Data: data})
	if err == nil || errors.Is(err, ErrFull) {
		r.watch()
	}
	return err
}

// Test is Nginx's.
func (r *Remote) Test(ctx context.Context, conf []byte) error {
	_, err := r.ask(ctx, "/test", order{Conf: conf})
	return err
}

// Reload is Nginx's.
func (r *Remote) Reload(ctx context.Context, conf []byte) error {
	_, err := r.ask(ctx, "/reload", order{Conf: conf})
	return err
}

// Lives is Nginx's, and false where nobody can say it.
func (r *Remote) Lives() bool {
	answer, err := r.ask(context.Background(), "/lives", order{})
	return err == nil && answer.Lives
}

// Workers is Nginx's, and zero where nobody can say it.
func (r *Remote) Workers() Processes {
	answer, _ := r.ask(context.Background(), "/workers", order{})
	return answer.Processes
}

// Exited is Nginx's. It is closed too when the process that runs nginx has gone.
func (r *Remote) Exited() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exited
}

// watch notes the end of the nginx that runs now.
func (r *Remote) watch() {
	exited := make(chan struct{})
	r.mu.Lock()
	r.exited = exited
	r.mu.Unlock()
	go func() {
		_, err := r.ask(context.Background(), "/exited", order{})
		r.log.Info("nginx has ended, or who runs it", "error", err)
		close(exited)
	}()
}

// Quit leaves nginx to the process that runs it.
func (r *Remote) Quit(context.Context) error { return nil }

// Close is for nothing: the folder is the other process's.
func (r *Remote) Close() error { return nil }
