//go:build e2e

package charts_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestCluster installs the chart in a Kubernetes API server. It is one test, because starting that takes longer than all the
// rest.
func TestCluster(t *testing.T) {
	c := startCluster(t)
	forEachSet(t, func(t *testing.T, values common.Values) {
		name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		c.namespace(t, "set-"+name).lives(t, values)
	})
	t.Run("volumes stay as they are", c.keepsVolumes)
	t.Run("another workload", c.changesWorkload)
	t.Run("a sidecar", c.hasSidecar)
	t.Run("refusals", c.refuses)
}

// lives takes a release through its life: installed, upgraded to what it is, upgraded to another configuration, uninstalled.
func (n *namespace) lives(t *testing.T, values common.Values) {
	if err := n.install(t, values); err != nil {
		t.Fatalf("install: %v", err)
	}
	installed := n.objects(t)
	if d := cmp.Diff(rendered(t, values), slices.Sorted(maps.Keys(installed))); d != "" {
		t.Errorf("objects (-rendered +installed):\n%s", d)
	}
	if err := n.admit(t); err != nil {
		t.Errorf("the pods are not admitted: %v", err)
	}

	if err := n.upgrade(t, values); err != nil {
		t.Fatalf("upgrade to the same: %v", err)
	}
	if d := cmp.Diff(installed, n.objects(t)); d != "" {
		t.Errorf("an upgrade to the same values changes (-before +after):\n%s", d)
	}

	if err := n.upgrade(t, with(values, "config: {log: {level: debug}}")); err != nil {
		t.Fatalf("upgrade to another configuration: %v", err)
	}
	var want []string
	for name := range installed { // the gateway sees the file change; pods are replaced only where that is asked for
		isConfig := strings.HasPrefix(name, "ConfigMap/") && strings.HasSuffix(name, "-config")
		isWorkload := strings.HasPrefix(name, "StatefulSet/") || strings.HasPrefix(name, "Deployment/")
		if isConfig || isWorkload && values["restartOnChange"] == true {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if d := cmp.Diff(want, changed(installed, n.objects(t))); d != "" {
		t.Errorf("another configuration changes (-want +got):\n%s", d)
	}

	n.uninstall(t)
	if d := cmp.Diff(map[string]string{}, n.objects(t)); d != "" {
		t.Errorf("what is left after an uninstall:\n%s", d)
	}
}

// keepsVolumes: the size of the volumes cannot be upgraded, which Kubernetes says, and what the chart's README says to do
// about it works.
func (c *cluster) keepsVolumes(t *testing.T) {
	n := c.namespace(t, "volumes")
	if err := n.install(t, nil); err != nil {
		t.Fatal(err)
	}
	larger := with(nil, "persistence: {size: 20Gi}")
	mustRefuse(t, n.upgrade(t, larger), "spec.volumeClaimTemplates: Invalid value")

	orphan := metav1.DeletePropagationOrphan // kubectl delete --cascade=orphan
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: releaseName + "-sark", Namespace: n.name}}
	if err := n.Delete(t.Context(), set, &client.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		t.Fatal(err)
	}
	// Nobody answers for the orphans where no controller runs.
	if err := n.Get(t.Context(), client.ObjectKeyFromObject(set), set); err == nil {
		set.Finalizers = nil
		if err := n.Update(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.upgrade(t, larger); err != nil {
		t.Fatalf("upgrade without the StatefulSet: %v", err)
	}
	if err := n.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
		t.Fatal(err)
	}
	if size := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage().String(); size != "20Gi" {
		t.Errorf("volumes have %s, want 20Gi", size)
	}
}

// changesWorkload: a StatefulSet becomes a Deployment and one again.
func (c *cluster) changesWorkload(t *testing.T) {
	n := c.namespace(t, "workload")
	if err := n.install(t, nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ values, want string }{
		{"persistence: {enabled: false}", "Deployment/gateway-sark"},
		{"persistence: {enabled: true}", "StatefulSet/gateway-sark"},
	} {
		if err := n.upgrade(t, with(nil, step.values)); err != nil {
			t.Fatalf("%s: %v", step.values, err)
		}
		var workloads []string
		for name := range n.objects(t) {
			if strings.HasPrefix(name, "StatefulSet/") || strings.HasPrefix(name, "Deployment/") {
				workloads = append(workloads, name)
			}
		}
		if d := cmp.Diff([]string{step.want}, workloads); d != "" {
			t.Errorf("%s: workloads (-want +got):\n%s", step.values, d)
		}
		if err := n.admit(t); err != nil {
			t.Errorf("%s: the pods are not admitted: %v", step.values, err)
		}
	}
}

// hasSidecar applies docs/sidecar.yaml, in a namespace that holds its pods to the standard.
func (c *cluster) hasSidecar(t *testing.T) {
	n := c.namespace(t, "sidecar")
	r := readSidecar(t)
	for _, o := range r.objects {
		object, ok := o.(client.Object)
		if !ok {
			t.Fatalf("%T is no object", o)
		}
		object.SetNamespace(n.name)
		if err := c.Create(t.Context(), object); err != nil {
			t.Error(err)
		}
	}
	if err := n.admit(t); err != nil {
		t.Errorf("the pods are not admitted: %v", err)
	}
}

// refuses shows that what the others pass is there: fields are checked, and so are pods.
func (c *cluster) refuses(t *testing.T) {
	n := c.namespace(t, "refusals")
	mustRefuse(t, n.install(t, with(nil, "extraVolumes: [{name: more, emptyDirr: {}}]")), `.spec.template.spec.volumes[name="more"].emptyDirr: field not declared in schema`)

	n = c.namespace(t, "unrestricted")
	if err := n.install(t, with(nil, "extraVolumes: [{name: host, hostPath: {path: /}}]")); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, n.admit(t), `violates PodSecurity "restricted:latest"`)
}

// mustRefuse fails without an error that says why.
func mustRefuse(t *testing.T, err error, why string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("error %v, want %q in it", err, why)
	}
}

// with returns values with others on top.
func with(values common.Values, more string) common.Values {
	top, err := common.ReadValues([]byte(more))
	if err != nil {
		panic(err)
	}
	return util.CoalesceTables(top, util.CoalesceTables(map[string]any{}, values))
}

// rendered returns what `helm template` has for values, as namespace.objects names it.
func rendered(t *testing.T, values common.Values) []string {
	t.Helper()
	var names []string
	for _, o := range read(t, values).objects {
		m, err := meta.Accessor(o)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.GetObjectKind().GroupVersionKind().Kind+"/"+m.GetName())
	}
	slices.Sort(names)
	return names
}

// changed returns what differs between two states of a namespace.
func changed(before, after map[string]string) (names []string) {
	for name := range after {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
