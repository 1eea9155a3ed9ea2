// Placeholder by the lead so that others can build; delete this file when the real package is here.
package metrics
import ("net/http";"time")
type Metrics struct{}
type Options struct{}
func DefaultTimeBuckets() []float64 { return []float64{.005,.01,.025,.05,.1,.25,.5,1,2.5,5,10} }
func DefaultLengthBuckets() []float64 { return []float64{10,20} }
func DefaultSizeBuckets() []float64 { return []float64{10,100} }
func (m *Metrics) Handler() http.Handler { return http.NotFoundHandler() }
func (m *Metrics) Leader(bool) {}
func (m *Metrics) Reloaded(ok bool, at time.Time, took time.Duration) {}
func (m *Metrics) Pushed(items int, took time.Duration, err error) {}
