package admission

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// An audience is API servers that believe what was published last.
type audience struct {
	hosts    []string
	fails    error
	believed []*x509.Certificate
	asked    int
}

func (a *audience) Publish(_ context.Context, mine func([]string) ([]*x509.Certificate, error)) (err error) {
	a.asked++
	if a.fails != nil {
		return a.fails
	}
	a.believed, err = mine(a.hosts)
	return err
}

// believes verifies the certificate of now as an API server does.
func (a *audience) believes(k *Keeper, host string) error {
	c, err := k.certificate()
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	for _, one := range a.believed {
		roots.AddCert(one)
	}
	_, err = c.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: time.Now()})
	return err
}

func kept(t *testing.T, a *audience, test func(k *Keeper)) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper(Owner("edge", "sallyport-0"), a, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { k.Run(ctx); close(done) }()
		synctest.Wait()
		test(k)
		cancel()
		<-done
		if a.fails == nil && len(a.believed) > 0 {
			t.Error("what has ended is still believed")
		}
	})
}

func TestKeeperIsBelievedAllTheTime(t *testing.T) {
	const host = "admission.edge.svc"
	a := &audience{hosts: []string{host}}
	kept(t, a, func(k *Keeper) {
		shown := map[string]bool{}
		for range 3 * 365 * 24 * 2 { // three years, each half hour
			if err := a.believes(k, host); err != nil {
				t.Fatalf("%v: %v", time.Now(), err)
			}
			c, _ := k.certificate()
			shown[c.Leaf.SerialNumber.String()] = true
			time.Sleep(30 * time.Minute)
		}
		if n := len(shown); n < 18 || n > 19 {
			t.Errorf("%d certificates in three years", n)
		}
		if len(a.believed) > 2 {
			t.Errorf("%d are believed", len(a.believed))
		}
		c, _ := k.certificate()
		if c.Leaf.IsCA || a.believes(k, "elsewhere.edge.svc") == nil {
			t.Error("the certificate is good for more than this")
		}
	})
}

// An API server is told of a new certificate before it is shown one.
func TestKeeperOverlaps(t *testing.T) {
	a := &audience{hosts: []string{"a.edge.svc"}}
	kept(t, a, func(k *Keeper) {
		before := slices.Clone(a.believed)
		a.hosts = []string{"a.edge.svc", "b.edge.svc"} // a Service more
		time.Sleep(keepEvery * 3 / 2)
		synctest.Wait()
		if c, _ := k.certificate(); len(a.believed) != 2 || !c.Leaf.Equal(before[0]) {
			t.Errorf("%d are believed, and the new one is shown at once", len(a.believed))
		}
		time.Sleep(2 * overlap)
		synctest.Wait()
		if err := a.believes(k, "b.edge.svc"); err != nil {
			t.Error(err)
		}
		time.Sleep(keepEvery * 2)
		synctest.Wait()
		if len(a.believed) != 1 {
			t.Errorf("%d are believed in the end", len(a.believed))
		}
	})
}

func TestKeeperWithoutAnAudience(t *testing.T) {
	a := &audience{hosts: []string{"a.edge.svc"}, fails: errors.New("not found")}
	kept(t, a, func(k *Keeper) {
		if _, err := k.certificate(); err == nil {
			t.Error("there is a certificate that nobody was told of")
		}
		time.Sleep(time.Hour)
		if a.asked > 130 {
			t.Errorf("asked %d times in an hour", a.asked)
		}
		a.fails = nil
		time.Sleep(keepEvery)
		synctest.Wait()
		if err := a.believes(k, "a.edge.svc"); err != nil {
			t.Error(err)
		}
	})
}
