package chart

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A query is one of a dashboard's panels, or of an alert.
type query struct{ where, expr string }

// variables are Grafana's, as it fills them in where all is chosen.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$pod", ".*", "$namespace", ".*", "$ingress", ".*")

// labelValues is Grafana's function for a variable's values.
var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

func queries(t *testing.T) []query {
	t.Helper()
	var all []query
	for name, text := range files(t, chartFolder+"/dashboards/*.json") {
		var board struct {
			Title, UID string
			Templating struct {
				List []struct{ Name, Type, Definition string }
			}
			Panels []struct {
				Title, Description string
				Targets            []struct{ Expr, RefID string }
			}
		}
		if err := json.Unmarshal([]byte(text), &board); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if board.Title == "" || board.UID == "" || len(board.Panels) < 8 {
			t.Errorf("%s: title %q, uid %q, %d panels", name, board.Title, board.UID, len(board.Panels))
		}
		for _, v := range board.Templating.List {
			if v.Type != "query" {
				continue
			}
			of := labelValues.FindStringSubmatch(v.Definition)
			if of == nil {
				t.Errorf("%s: variable %s: %q", name, v.Name, v.Definition)
				continue
			}
			all = append(all, query{name + ": variable " + v.Name, fmt.Sprintf("count by (%s) (%s)", of[2], variables.Replace(of[1]))})
		}
		for _, p := range board.Panels {
			if p.Description == "" || len(p.Targets) == 0 {
				t.Errorf("%s: panel %q: no description, or no query", name, p.Title)
			}
			for _, q := range p.Targets {
				all = append(all, query{name + ": " + p.Title, variables.Replace(q.Expr)})
			}
		}
	}
	return append(all, alerts(t)...)
}

func alerts(t *testing.T) []query {
	t.Helper()
	r := must(t, "controller: {metrics: {enabled: true, prometheusRule: {enabled: true}}}")
	text, err := yaml.Marshal(r.object(t, "PrometheusRule", "edge-sallyport-controller").Object)
	if err != nil {
		t.Fatal(err)
	}
	var rule struct {
		Spec struct {
			Groups []struct {
				Name  string
				Rules []struct {
					Alert, Expr, For    string
					Labels, Annotations map[string]string
				}
			}
		}
	}
	if err := yaml.UnmarshalStrict(text, &rule); err != nil && !strings.Contains(err.Error(), "unknown field") {
		t.Fatal(err)
	}
	var all []query
	for _, one := range rule.Spec.Groups[0].Rules {
		for _, need := range []string{one.For, one.Labels["severity"], one.Annotations["summary"], one.Annotations["description"], one.Annotations["runbook"]} {
			if need == "" {
				t.Errorf("%s: for, severity, summary, description and runbook are all needed", one.Alert)
			}
		}
		if _, err := model.ParseDuration(one.For); err != nil {
			t.Errorf("%s: %v", one.Alert, err)
		}
		all = append(all, query{"alert " + one.Alert, one.Expr})
	}
	return all
}

// others are an Ingress without a Service, and one that nothing is wrong with
// from the first moment on.
const others = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain, namespace: shop}
spec:
  ingressClassName: nginx
  rules: [{host: d.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: orphan, namespace: shop}
spec:
  ingressClassName: nginx
  rules: [{host: c.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: none, port: {number: 80}}}}]}}]
---
`

// Each query of the dashboards and of the alerts is one of PromQL, whose series
// are in a scrape of the real /metrics, with the labels that it groups by.
func TestQueries(t *testing.T) {
	a := newApplier(t)
	a.Wipe(t)
	r := must(t, "controller: {admissionWebhooks: {enabled: false}, metrics: {enabled: true}}")
	a.install(t, r)
	t.Cleanup(func() { a.uninstall(t, r) })
	cluster.Echo(t, "web", "10.244.8.1:8080")
	a.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("shop", "cert"))
	a.Apply(t, fmt.Sprintf(shop, "10.244.8.1")+"---\n"+others+wrong)
	s := a.launch(t, r, "one")
	s.Get(t, "https://a.example.org/")
	s.Get(t, "https://a.example.org/")
	var scrape map[string]*dto.MetricFamily
	cluster.Eventually(t, "the metrics are all there", func() (err error) {
		scrape, err = scraped(s)
		for _, late := range []string{"requests", "leader_election_status", "orphan_ingress", "check_errors", "check_success"} {
			if err == nil && scrape["nginx_ingress_controller_"+late] == nil {
				err = fmt.Errorf("no %s", late)
			}
		}
		return err
	})
	all := queries(t)
	for _, q := range all {
		held(t, q, scrape)
	}
	t.Logf("%d queries", len(all))
}

func scraped(s *cluster.Sallyport) (map[string]*dto.MetricFamily, error) {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.Health))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	all, err := p.TextToMetricFamilies(response.Body)
	_, _ = io.Copy(io.Discard, response.Body)
	return all, err
}

func held(t *testing.T, q query, scrape map[string]*dto.MetricFamily) {
	t.Helper()
	expr, err := parser.ParseExpr(q.expr)
	if err != nil {
		t.Errorf("%s: %s: %v", q.where, q.expr, err)
		return
	}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		labels, found := seriesOf(selector, scrape)
		if !found {
			t.Errorf("%s: no series of %s", q.where, selector)
			return nil
		}
		for _, above := range path {
			if by, ok := above.(*parser.AggregateExpr); ok {
				for _, label := range by.Grouping {
					if !slices.Contains(labels, label) {
						t.Errorf("%s: %s has no label %s, only %v", q.where, selector, label, labels)
					}
				}
			}
		}
		return nil
	})
}

// seriesOf are the labels of a series that a selector selects, but for the
// statuses that it asks for: no request ended with 5xx.
func seriesOf(s *parser.VectorSelector, scrape map[string]*dto.MetricFamily) ([]string, bool) {
	name, extra := s.Name, []string(nil)
	for suffix, label := range map[string]string{"_bucket": "le", "_sum": "", "_count": ""} {
		if base, ok := strings.CutSuffix(s.Name, suffix); ok && scrape[base] != nil && scrape[base].GetType() == dto.MetricType_HISTOGRAM {
			name, extra = base, []string{label}
		}
	}
	family := scrape[name]
	if family == nil || family.GetType() == dto.MetricType_HISTOGRAM && extra == nil {
		return nil, false
	}
	for _, series := range family.Metric {
		values := map[string]string{}
		for _, l := range series.Label {
			values[l.GetName()] = l.GetValue()
		}
		matched := true
		for _, m := range s.LabelMatchers {
			if m.Name == model.MetricNameLabel {
				continue
			}
			value, there := values[m.Name]
			matched = matched && there && (m.Name == "status" || m.Matches(value))
		}
		if matched {
			return append(sortedKeys(values), extra...), true
		}
	}
	return nil, false
}
