package main

import (
	"fmt"
	"sync"
)

// tasks run side by side; the first that fails is told.
type tasks struct {
	group  sync.WaitGroup
	failed chan error // has room for the first
}

func newTasks() *tasks { return &tasks{failed: make(chan error, 1)} }

func (t *tasks) start(what string, do func() error) {
	t.group.Add(1)
	go func() {
		defer t.group.Done()
		if err := do(); err != nil {
			select {
			case t.failed <- fmt.Errorf("%s: %w", what, err):
			default:
			}
		}
	}()
}

func (t *tasks) wait() { t.group.Wait() }
