package cluster

import (
	"os"
	"syscall"
	"time"
)

// A DataPlane is the process that runs nginx for a controller of another
// container.
type DataPlane struct {
	process  *process
	args     []string
	confined *Confinement
}

// LaunchDataPlane starts `sallyport data-plane` for a work folder. It is stopped
// with the controller that has it as its External.
func LaunchDataPlane(t T, workDir string, args ...string) *DataPlane {
	t.Helper()
	return launchDataPlane(t, workDir, nil, args)
}

// ConfineDataPlane starts it in a container.
func ConfineDataPlane(t T, workDir string, c Confinement, args ...string) *DataPlane {
	t.Helper()
	return launchDataPlane(t, workDir, &c, args)
}

func launchDataPlane(t T, workDir string, c *Confinement, args []string) *DataPlane {
	t.Helper()
	d := &DataPlane{args: append([]string{"data-plane", "--work-dir=" + workDir}, args...), confined: c}
	d.start(t)
	t.Cleanup(func() {
		if d.Stop(t); t.Failed() {
			t.Logf("the data plane's log:\n%s", tail(d.Log(), 40))
		}
	})
	return d
}

func (d *DataPlane) start(t T) {
	t.Helper()
	log, err := os.CreateTemp("", "data-plane-*.log")
	if err != nil {
		t.Fatalf("the data plane: %v", err)
	}
	log.Close()
	p := program{log: log.Name(), env: os.Environ(), path: os.Getenv(binaryVariable), args: d.args, root: Root()}
	if d.confined != nil {
		if p, err = p.confine(*d.confined); err != nil {
			t.Fatalf("the data plane: %v", err)
		}
	}
	if d.process, err = p.start(); err != nil {
		t.Fatalf("the data plane: %v", err)
	}
}

// Restart starts it again after it has ended, as a kubelet does.
func (d *DataPlane) Restart(t T) {
	t.Helper()
	<-d.process.done
	d.start(t)
}

// Log is what it and its nginx have said since it was started.
func (d *DataPlane) Log() string { return d.process.text(d.process.log) }

// Kill ends it at once.
func (d *DataPlane) Kill() { d.process.kill() }

// Terminate asks it to end, as a kubelet does, and doesn't wait.
func (d *DataPlane) Terminate() { d.process.signal(syscall.SIGTERM) }

// Ended is closed when it has ended.
func (d *DataPlane) Ended() <-chan struct{} { return d.process.done }

// Stop ends it as a kubelet does; it is an error if it doesn't with status 0.
func (d *DataPlane) Stop(t T) {
	t.Helper()
	if d.process.ended() {
		return
	}
	d.Terminate()
	select {
	case <-d.process.done:
	case <-time.After(patience):
		t.Errorf("the data plane: didn't end %v after SIGTERM", patience)
		d.Kill()
	}
	if code := d.process.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the data plane: ended with %s, want status 0", d.process.status())
	}
}
