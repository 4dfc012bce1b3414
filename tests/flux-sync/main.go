// Does with a clinic's objects what Flux's kustomize-controller does with them, by the libraries that it is made of: applies
// them on the server, prunes, and waits until they are healthy, as the Kustomization says and with the rights that it names.
//
//	flux-sync KUBECONFIG KUSTOMIZATION BEFORE AFTER
//
// BEFORE and AFTER are files of built objects: what was applied last (empty at first), and what is to be applied now. Prints
// what became of each object. Where the objects come from never stands here.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/clusterreader"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/object"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	ssautil "github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const controller = "kustomize-controller"

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: flux-sync KUBECONFIG KUSTOMIZATION BEFORE AFTER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "flux-sync:", err)
		os.Exit(1)
	}
}

func run(kubeconfig, file, before, after string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var kustomization kustomizev1.Kustomization
	if err := yaml.UnmarshalStrict(text, &kustomization); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	manager, err := managerOf(kubeconfig, &kustomization)
	if err != nil {
		return err
	}
	old, err := read(before)
	if err != nil {
		return err
	}
	wanted, err := read(after)
	if err != nil {
		return err
	}
	applied, err := apply(manager, &kustomization, wanted)
	if err != nil {
		return err
	}
	fmt.Println(applied)
	if kustomization.Spec.Prune {
		pruned, err := prune(manager, &kustomization, old, wanted)
		if err != nil {
			return err
		}
		fmt.Println(pruned)
	}
	if !kustomization.Spec.Wait {
		return nil
	}
	options := ssa.WaitOptions{Interval: 200 * time.Millisecond, Timeout: kustomization.GetTimeout()}
	return manager.WaitForSet(applied.ToObjMetadataSet(), options)
}

func managerOf(kubeconfig string, kustomization *kustomizev1.Kustomization) (*ssa.ResourceManager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 100, 200
	if account := kustomization.Spec.ServiceAccountName; account != "" {
		config.Impersonate.UserName = fmt.Sprintf("system:serviceaccount:%s:%s", kustomization.Namespace, account)
	}
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return nil, err
	}
	reader, err := cel.NewStatusReader(kustomization.Spec.HealthCheckExprs)
	if err != nil {
		return nil, err
	}
	poller := polling.NewStatusPoller(cluster, cluster.RESTMapper(), polling.Options{
		CustomStatusReaders:  []engine.StatusReader{reader(cluster.RESTMapper())},
		ClusterReaderFactory: engine.ClusterReaderFactoryFunc(clusterreader.NewDirectClusterReader),
	})
	owner := ssa.Owner{Field: controller, Group: kustomizev1.GroupVersion.Group}
	return ssa.NewResourceManager(cluster, poller, owner), nil
}

func read(file string) ([]*unstructured.Unstructured, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return ssautil.ReadObjects(opened)
}

// With the options of the controller: what people did with kubectl is undone, unless an object says otherwise.
func apply(manager *ssa.ResourceManager, kustomization *kustomizev1.Kustomization, objects []*unstructured.Unstructured) (*ssa.ChangeSet, error) {
	if err := normalize.UnstructuredList(objects); err != nil {
		return nil, err
	}
	manager.SetOwnerLabels(objects, kustomization.Name, kustomization.Namespace)
	options := ssa.DefaultApplyOptions()
	options.Force = kustomization.Spec.Force
	options.ExclusionSelector = map[string]string{group("reconcile"): kustomizev1.DisabledValue, group("ssa"): kustomizev1.IgnoreValue}
	options.IfNotPresentSelector = map[string]string{group("ssa"): kustomizev1.IfNotPresentValue}
	options.ForceSelector = map[string]string{group("force"): kustomizev1.EnabledValue}
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{"kubectl.kubernetes.io/last-applied-configuration"},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: controller, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{group("ssa"): kustomizev1.MergeValue},
	}
	return manager.ApplyAllStaged(context.Background(), objects, options)
}

// Deletes what only the inventory of the last time has, and what is ours to delete.
func prune(manager *ssa.ResourceManager, kustomization *kustomizev1.Kustomization, before, after []*unstructured.Unstructured) (*ssa.ChangeSet, error) {
	kept := object.UnstructuredSetToObjMetadataSet(after)
	var stale []*unstructured.Unstructured
	for _, old := range before {
		if !kept.Contains(object.UnstructuredToObjMetadata(old)) {
			stale = append(stale, old)
		}
	}
	options := ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        manager.GetOwnerLabels(kustomization.Name, kustomization.Namespace),
		Exclusions:        map[string]string{group("prune"): kustomizev1.DisabledValue, group("reconcile"): kustomizev1.DisabledValue},
	}
	return manager.DeleteAll(context.Background(), stale, options)
}

func group(name string) string {
	return kustomizev1.GroupVersion.Group + "/" + name
}
