//go:build e2e

package charts_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// releaseName is the name under which the chart is installed, in every namespace.
const releaseName = "gateway"

// cluster is a kube-apiserver and an etcd. Nothing else runs: what is installed is admitted, defaulted and stored as in any
// cluster, and no controller acts on it.
type cluster struct {
	client.Client
	kubeconfig string
}

// startCluster starts the programs in KUBEBUILDER_ASSETS, which `make e2e-k8s` builds.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run `make e2e-k8s`")
	}
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start the control plane: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := os.WriteFile(c.kubeconfig, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Client, err = client.New(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// namespace is one that enforces the Pod Security Standard "restricted", and the Helm of a user who installs into it.
type namespace struct {
	*cluster
	name string
	helm *action.Configuration
}

func (c *cluster) namespace(t *testing.T, name string) *namespace {
	t.Helper()
	labels := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &c.kubeconfig, &name
	n := &namespace{cluster: c, name: name, helm: action.NewConfiguration()}
	if err := n.helm.Init(flags, name, "secret"); err != nil {
		t.Fatal(err)
	}
	return n
}

// install is `helm install`, which applies on the side of the server and has it check fields strictly.
func (n *namespace) install(t *testing.T, values common.Values) error {
	t.Helper()
	in := action.NewInstall(n.helm)
	in.ReleaseName, in.Namespace, in.WaitStrategy = releaseName, n.name, kube.HookOnlyStrategy
	c, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	_, err = in.RunWithContext(t.Context(), c, values)
	return err
}

// upgrade is `helm upgrade`.
func (n *namespace) upgrade(t *testing.T, values common.Values) error {
	t.Helper()
	up := action.NewUpgrade(n.helm)
	up.Namespace, up.WaitStrategy, up.ServerSideApply = n.name, kube.HookOnlyStrategy, "auto"
	c, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	_, err = up.RunWithContext(t.Context(), releaseName, c, values)
	return err
}

// uninstall is `helm uninstall`.
func (n *namespace) uninstall(t *testing.T) {
	t.Helper()
	un := action.NewUninstall(n.helm)
	un.WaitStrategy = kube.HookOnlyStrategy
	if _, err := un.Run(releaseName); err != nil {
		t.Errorf("uninstall: %v", err)
	}
}

// kinds are what the chart may install.
func kinds() map[string]client.ObjectList {
	return map[string]client.ObjectList{
		"ConfigMap": &corev1.ConfigMapList{}, "Service": &corev1.ServiceList{}, "ServiceAccount": &corev1.ServiceAccountList{},
		"StatefulSet": &appsv1.StatefulSetList{}, "Deployment": &appsv1.DeploymentList{},
		"NetworkPolicy": &networkingv1.NetworkPolicyList{}, "PodDisruptionBudget": &policyv1.PodDisruptionBudgetList{},
	}
}

// objects returns the resource versions of what the release has in the namespace, as "Service/gateway-sark". A version
// changes whenever the stored object does.
func (n *namespace) objects(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for kind, list := range kinds() {
		err := n.List(t.Context(), list, client.InNamespace(n.name), client.MatchingLabels{"app.kubernetes.io/instance": releaseName})
		if err != nil {
			t.Fatal(err)
		}
		err = meta.EachListItem(list, func(o runtime.Object) error {
			m, err := meta.Accessor(o)
			found[kind+"/"+m.GetName()] = m.GetResourceVersion()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// admit asks the API server whether it would let the pods of the release in, as the controller of its workload would.
func (n *namespace) admit(t *testing.T) error {
	t.Helper()
	sets, deployments := &appsv1.StatefulSetList{}, &appsv1.DeploymentList{}
	if err := errors.Join(n.List(t.Context(), sets, client.InNamespace(n.name)), n.List(t.Context(), deployments, client.InNamespace(n.name))); err != nil {
		t.Fatal(err)
	}
	var template corev1.PodTemplateSpec
	switch {
	case len(sets.Items) == 1 && len(deployments.Items) == 0:
		template = sets.Items[0].Spec.Template
		for _, claim := range sets.Items[0].Spec.VolumeClaimTemplates { // what the controller adds
			source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + sets.Items[0].Name + "-0"}
			template.Spec.Volumes = append(template.Spec.Volumes,
				corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source}})
		}
	case len(sets.Items) == 0 && len(deployments.Items) == 1:
		template = deployments.Items[0].Spec.Template
	default:
		t.Fatalf("%d StatefulSets and %d Deployments, want one workload", len(sets.Items), len(deployments.Items))
	}
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.Name = n.name, releaseName+"-0"
	return n.Create(t.Context(), pod, client.DryRunAll)
}
