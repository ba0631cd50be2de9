package charts_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"sark/configs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestLint is `helm lint --strict`.
func TestLint(t *testing.T) {
	forEachSet(t, func(t *testing.T, values common.Values) {
		result := lint.RunAll(chart, values, "mcp")
		for _, m := range result.Messages {
			if m.Severity > support.InfoSev {
				t.Error(m)
			}
		}
	})
}

// TestGolden shows what a change of the chart changes for its users.
func TestGolden(t *testing.T) {
	forEachSet(t, func(t *testing.T, values common.Values) {
		rendered, text := mustRender(t, values), ""
		for _, name := range slices.Sorted(maps.Keys(rendered)) {
			text += "--- " + name + "\n" + strings.TrimSpace(rendered[name]) + "\n"
		}
		file := filepath.Join("testdata", filepath.Base(t.Name())+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), text); d != "" {
			t.Errorf("rendered (-want +got):\n%s", d)
		}
	})
}

// TestObjects checks what the types of Kubernetes cannot: names and labels, and that what one object says of another is so.
func TestObjects(t *testing.T) {
	forEachSet(t, func(t *testing.T, values common.Values) {
		r := read(t, values)
		for _, object := range r.objects {
			m, err := meta.Accessor(object)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range validation.IsDNS1123Subdomain(m.GetName()) {
				t.Errorf("name %q: %s", m.GetName(), problem)
			}
			for _, problem := range metavalidation.ValidateLabels(m.GetLabels(), field.NewPath("labels")) {
				t.Errorf("%s: %s", m.GetName(), problem)
			}
			if m.GetNamespace() != "mcp" {
				t.Errorf("%s is in namespace %q", m.GetName(), m.GetNamespace())
			}
		}
		pods := labels.Set(r.pod.Labels)
		if !labels.SelectorFromSet(r.selector).Matches(pods) {
			t.Errorf("pods have the labels %v, the workload selects %v", pods, r.selector)
		}
		if want := r.pod.Spec.ServiceAccountName; r.account != nil && r.account.Name != want || r.account == nil && want != "default" {
			t.Errorf("pods have the service account %q", want)
		}
		checkServices(t, r)
		checkVolumes(t, r)
	})
}

// checkServices fails for a Service that leads nowhere, and for one that shows to the outside what is for operators.
func checkServices(t *testing.T, r *release) {
	t.Helper()
	for _, s := range r.services {
		if !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(r.pod.Labels)) {
			t.Errorf("service %s selects %v, which no pod has", s.Name, s.Spec.Selector)
		}
		for _, p := range s.Spec.Ports {
			if port(r.pod.Spec.Containers[0], p.TargetPort.StrVal) == "" {
				t.Errorf("port %s of service %s leads to %q, which the pods do not have", p.Name, s.Name, p.TargetPort.StrVal)
			}
			if p.Name != "mcp" && s.Spec.ClusterIP != corev1.ClusterIPNone {
				t.Errorf("service %s of type %s has port %s", s.Name, s.Spec.Type, p.Name)
			}
		}
	}
}

// checkVolumes fails for a mount without a volume, a volume that nobody mounts, and a ConfigMap that nobody makes.
func checkVolumes(t *testing.T, r *release) {
	t.Helper()
	volumes := map[string]bool{} // whether it is mounted
	for _, c := range r.claims {
		volumes[c.Name] = false
	}
	for _, v := range r.pod.Spec.Volumes {
		volumes[v.Name] = false
		if v.ConfigMap != nil && r.configs[v.ConfigMap.Name] == nil {
			t.Errorf("volume %s is of ConfigMap %q, which there is not", v.Name, v.ConfigMap.Name)
		}
	}
	for _, m := range r.pod.Spec.Containers[0].VolumeMounts {
		if _, there := volumes[m.Name]; !there {
			t.Errorf("mount %s has no volume", m.MountPath)
		}
		if m.SubPath != "" {
			t.Errorf("mount %s is of one file, which would never change", m.MountPath)
		}
		volumes[m.Name] = true
	}
	for name, mounted := range volumes {
		if !mounted {
			t.Errorf("volume %s is not mounted", name)
		}
	}
}

// TestRestricted asks the admission plugin of Kubernetes itself whether it would let the pods into a namespace that
// enforces the Pod Security Standard "restricted".
func TestRestricted(t *testing.T) {
	forEachSet(t, func(t *testing.T, values common.Values) {
		r := read(t, values)
		mustBeRestricted(t, &r.pod, r.pod.Spec.Containers[0])
	})
}

func mustBeRestricted(t *testing.T, pod *corev1.PodTemplateSpec, gateway corev1.Container) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		t.Errorf("%s: %s", result.ForbiddenReason(), result.ForbiddenDetail())
	}
	if c := gateway.SecurityContext; c.ReadOnlyRootFilesystem == nil || !*c.ReadOnlyRootFilesystem {
		t.Error("the root file system can be written to")
	}
	if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token {
		t.Error("the pods get a token of Kubernetes")
	}
}

// flush is what the gateway needs after proxy.drain_timeout (docs/operations.md, "Shutdown").
const flush = 5 * time.Second

// TestConfig loads the configuration of the release as the gateway does, and holds the pod against it.
func TestConfig(t *testing.T) {
	forEachSet(t, func(t *testing.T, values common.Values) {
		r := read(t, values)
		container := r.pod.Spec.Containers[0]
		c := load(t, r, container)
		mounts := map[string]string{}
		for _, m := range container.VolumeMounts {
			mounts[m.MountPath] = m.Name
		}

		if mounts[c.DataDir] != "data" {
			t.Errorf("data_dir %s is mounted from %q", c.DataDir, mounts[c.DataDir])
		}
		if (c.Authz.Bundle == "/etc/sark/policy") != (mounts["/etc/sark/policy"] == "policy") {
			t.Errorf("authz.bundle is %q, the policy is mounted from %q", c.Authz.Bundle, mounts["/etc/sark/policy"])
		}
		policies := map[string]any{}
		if mounts["/etc/sark/policy"] != "" {
			for name, text := range r.configs[volume(r, "policy").ConfigMap.Name].Data {
				policies[name] = text
			}
		}
		if d := cmp.Diff(values["policy"], any(policies)); d != "" && len(policies) > 0 {
			t.Errorf("policy (-want +got):\n%s", d)
		}
		for name, listen := range map[string]string{"mcp": c.Proxy.Listen, "admin": c.Admin.Listen} {
			if got := port(container, name); !strings.HasSuffix(listen, got) || got == "" {
				t.Errorf("port %s is %q, the gateway listens on %s", name, got, listen)
			}
		}
		grace := time.Duration(*r.pod.Spec.TerminationGracePeriodSeconds) * time.Second
		if spare := grace - c.Proxy.DrainTimeout - flush; spare <= 0 || spare > time.Minute {
			t.Errorf("pods may take %s to end, and the gateway takes up to %s", grace, c.Proxy.DrainTimeout+flush)
		}
		if c.Proxy.DrainGrace == 0 {
			t.Error("a rollout would lose calls: proxy.drain_grace is 0")
		}
	})
}

// load reads the ConfigMap where SARK_CONFIG of the gateway's container finds it.
func load(t *testing.T, r *release, gateway corev1.Container) configs.Config {
	t.Helper()
	environ := []string{}
	for _, e := range gateway.Env {
		environ = append(environ, e.Name+"="+e.Value)
	}
	loaded, err := configs.Load(configs.Options{Environ: environ, ReadFile: func(name string) ([]byte, error) {
		for _, m := range gateway.VolumeMounts {
			if file, below := strings.CutPrefix(name, m.MountPath+"/"); below {
				return r.file(volume(r, m.Name), file)
			}
		}
		return nil, os.ErrNotExist
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Origins) == 0 || loaded.Origins["proxy.drain_timeout"].Layer != configs.LayerFile {
		t.Fatalf("the file was not read: %v", loaded.Origins["proxy.drain_timeout"])
	}
	return loaded.Config
}

// file returns a file of a ConfigMap or Secret. A Secret that is not among the manifests is what testdata/secrets holds.
func (r *release) file(v corev1.Volume, name string) ([]byte, error) {
	switch {
	case v.ConfigMap != nil && r.configs[v.ConfigMap.Name] != nil:
		return []byte(r.configs[v.ConfigMap.Name].Data[name]), nil
	case v.Secret != nil && r.secrets[v.Secret.SecretName] != nil:
		return []byte(r.secrets[v.Secret.SecretName].StringData[name]), nil
	case v.Secret != nil:
		return os.ReadFile(filepath.Join("testdata", "secrets", name))
	}
	return nil, os.ErrNotExist
}

func volume(r *release, name string) corev1.Volume {
	for _, v := range r.pod.Spec.Volumes {
		if v.Name == name {
			return v
		}
	}
	return corev1.Volume{}
}

// port returns a port of a container as ":8080", or nothing.
func port(c corev1.Container, name string) string {
	for _, p := range c.Ports {
		if p.Name == name {
			return ":" + strconv.Itoa(int(p.ContainerPort))
		}
	}
	return ""
}

// TestRefused renders values that cannot work. The message must name the value.
func TestRefused(t *testing.T) {
	tests := []struct{ name, values, want string }{
		{"an unknown value", "replicas: 3", "additional properties 'replicas' not allowed"},
		{"a tag for a digest", "image: {digest: latest}", "/image/digest"},
		{"half a unit", "resources: {limits: {memory: 0.5Gi}}", "/resources/limits/memory"},
		{"a shared volume", "persistence: {accessModes: [ReadWriteMany]}", "/persistence/accessModes/0"},
		{"a server without an address", "config: {proxy: {servers: [{name: a}]}}", "missing property 'url'"},
		{"a policy that is no policy", "policy: {README.md: text}", "invalid propertyName 'README.md'"},
		{"a gateway that nobody reaches", "config: {proxy: {listen: '127.0.0.1:8080'}}", `config.proxy.listen: "127.0.0.1:8080" cannot be reached`},
		{"probes that reach nothing", "config: {admin: {listen: 'off'}}", `config.admin.listen: "off" cannot be reached`},
		{"a drain of fractions", "config: {proxy: {drain_timeout: 1.5s}}", `config.proxy.drain_timeout: "1.5s": write whole seconds`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values, err := common.ReadValues([]byte(test.values))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = render(values); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}
