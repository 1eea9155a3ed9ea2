package chart

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// A release is what the chart makes of values.
type release struct {
	objects []*unstructured.Unstructured
	notes   string
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render is `helm template edge` in the namespace edge.
func render(c *chart.Chart, values map[string]any) (release, error) {
	var r release
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "edge", Namespace: "edge", Revision: 1, IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return r, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return r, err
	}
	for _, name := range sortedKeys(files) {
		if strings.HasSuffix(name, "/NOTES.txt") {
			r.notes = files[name]
			continue
		}
		if err := r.read(files[name]); err != nil {
			return r, errors.Join(err, errors.New(name+":\n"+files[name]))
		}
	}
	return r, nil
}

func sortedKeys[V any](m map[string]V) []string {
	var all []string
	for key := range m {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}

func (r *release) read(text string) error {
	d := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		one, err := d.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		o := &unstructured.Unstructured{}
		// Keys that are there twice are an error.
		if err := yaml.UnmarshalStrict(one, &o.Object); err != nil {
			return err
		}
		if len(o.Object) > 0 {
			r.objects = append(r.objects, o)
		}
	}
}

// must is render of a YAML text that is taken.
func must(t *testing.T, text string) release {
	t.Helper()
	r, err := render(load(t), parse(t, text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return r
}

// refused is why a YAML text is not taken.
func refused(t *testing.T, text string) string {
	t.Helper()
	_, err := render(load(t), parse(t, text))
	if err == nil {
		t.Fatalf("%s\nis taken", text)
	}
	return err.Error()
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// object is the one of a kind and name.
func (r release) object(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range r.objects {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	t.Fatalf("there is no %s %s in %v", kind, name, r.names())
	return nil
}

func (r release) names() []string {
	var all []string
	for _, o := range r.objects {
		all = append(all, o.GetKind()+" "+o.GetName())
	}
	return all
}

func (r release) has(kind, name string) bool {
	return slices.Contains(r.names(), kind+" "+name)
}

// text is all of it.
func (r release) text(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	for _, o := range r.objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	return b.String() + r.notes
}

// args are the controller's.
func (r release) args(t *testing.T) []string {
	t.Helper()
	return r.container(t)("args")
}

// container gives a list of the first container of the controller's pods.
func (r release) container(t *testing.T) func(name string) []string {
	t.Helper()
	for _, o := range r.objects {
		if (o.GetKind() == "Deployment" || o.GetKind() == "DaemonSet") && o.GetLabels()["app.kubernetes.io/component"] == "controller" {
			all, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
			return func(name string) []string {
				list, _, _ := unstructured.NestedStringSlice(all[0].(map[string]any), name)
				return list
			}
		}
	}
	t.Fatal("there is no controller")
	return nil
}

// files are values files of a folder.
func files(t *testing.T, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	all := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(text)
	}
	return all
}
