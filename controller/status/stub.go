// Placeholder by the lead so that others can build; delete this file when the real package is here.
package status
import ("context";"time";"log/slog"
 networkingv1 "k8s.io/api/networking/v1"
 "k8s.io/client-go/kubernetes"
 "github.com/sallyport-ingress/sallyport/controller/model")
type Options struct{ Client kubernetes.Interface; Namespace, PodName, PublishService string; PublishAddresses []string; NodeInternalIP bool; ElectionID string; ElectionTTL time.Duration; DisableElection, UpdateStatus, UpdateOnShutdown, SyncEvents bool; Interval time.Duration; Log *slog.Logger; OnLeader func(bool)}
type Writer struct{}
type State struct{ Ingresses []*networkingv1.Ingress; Problems []model.Problem}
func New(Options) *Writer { return &Writer{} }
func (w *Writer) Publish(State) {}
func (w *Writer) Run(ctx context.Context) error { <-ctx.Done(); return nil }
