package charts_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
)

// chart is its directory.
const chart = "sark"

// notes is the template of what an operator is told.
const notes = "NOTES.txt"

// sets returns the value sets by name: the defaults, and those of ci.
func sets(t *testing.T) map[string]common.Values {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no value sets: %v", err)
	}
	all := map[string]common.Values{"default": {}}
	for _, file := range files {
		values, err := common.ReadValuesFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = values
	}
	return all
}

// forEachSet runs a test for each value set.
func forEachSet(t *testing.T, test func(t *testing.T, values common.Values)) {
	t.Helper()
	all := sets(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) { test(t, all[name]) })
	}
}

// render returns what `helm template gateway charts/sark --namespace mcp` renders, by template. Values that the schema
// refuses are an error.
func render(values common.Values) (map[string]string, error) {
	c, err := loader.Load(chart)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "gateway", Namespace: "mcp", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, values, release, common.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for path, text := range rendered {
		if name := filepath.Base(path); !strings.HasSuffix(name, ".tpl") && strings.TrimSpace(text) != "" {
			out[name] = text
		}
	}
	return out, nil
}

func mustRender(t *testing.T, values common.Values) map[string]string {
	t.Helper()
	rendered, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// release is a rendered chart as Kubernetes reads it.
type release struct {
	pod      corev1.PodTemplateSpec
	selector map[string]string // of the workload
	claims   []corev1.PersistentVolumeClaim
	configs  map[string]*corev1.ConfigMap
	secrets  map[string]*corev1.Secret
	services []*corev1.Service
	account  *corev1.ServiceAccount // nil without one
	objects  []runtime.Object
}

// read decodes what the chart renders.
func read(t *testing.T, values common.Values) *release {
	t.Helper()
	manifests := mustRender(t, values)
	delete(manifests, notes)
	return decode(t, manifests)
}

// decode decodes manifests as strictly as an API server does with fieldValidation=Strict: a field that the type does not
// have, a value of another type and a repeated key are errors.
func decode(t *testing.T, manifests map[string]string) *release {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	r := &release{configs: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{}}
	for name, text := range manifests {
		for _, document := range strings.Split(text, "\n---\n") {
			object, _, err := decoder.Decode([]byte(document), nil, nil)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			r.take(object)
		}
	}
	return r
}

// take sorts an object into its place.
func (r *release) take(object runtime.Object) {
	r.objects = append(r.objects, object)
	switch o := object.(type) {
	case *appsv1.StatefulSet:
		r.pod, r.selector, r.claims = o.Spec.Template, o.Spec.Selector.MatchLabels, o.Spec.VolumeClaimTemplates
	case *appsv1.Deployment:
		r.pod, r.selector = o.Spec.Template, o.Spec.Selector.MatchLabels
	case *corev1.ConfigMap:
		r.configs[o.Name] = o
	case *corev1.Secret:
		r.secrets[o.Name] = o
	case *corev1.Service:
		r.services = append(r.services, o)
	case *corev1.ServiceAccount:
		r.account = o
	}
}
