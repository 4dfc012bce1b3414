// Says of Kubernetes objects what three GitOps tools would: kstatus (sigs.k8s.io/cli-utils), the health.lua of each kind in
// the folder ARGOCD in the interpreter that Argo CD runs it in, and the healthCheckExprs of the file FLUX in Flux's own evaluator.
//
//	gitops-health ARGOCD FLUX < objects.json      (a JSON array; one line of JSON for each object)
//
// What the objects are and what is right to say about them never stands here.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	Kstatus string `json:"kstatus"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
	Flux    string `json:"flux"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gitops-health:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: gitops-health ARGOCD FLUX < objects.json")
	}
	// Through the package's own decoder, so that whole numbers are int64 as everywhere in Kubernetes.
	var items []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&items); err != nil {
		return fmt.Errorf("reading the objects: %w", err)
	}
	expressions, err := fluxExpressions(os.Args[2])
	if err != nil {
		return err
	}
	for _, item := range items {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(item); err != nil {
			return err
		}
		said, err := judge(os.Args[1], expressions, object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		line, _ := json.Marshal(said)
		fmt.Println(string(line))
	}
	return nil
}

func judge(argocd string, expressions map[string]*cel.StatusEvaluator, object *unstructured.Unstructured) (verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	argo, message, err := argoHealth(filepath.Join(argocd, object.GetKind(), "health.lua"), object)
	if err != nil {
		return verdict{}, err
	}
	evaluator, ok := expressions[object.GetKind()]
	if !ok {
		return verdict{}, fmt.Errorf("no healthCheckExprs")
	}
	flux, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return verdict{}, err
	}
	return verdict{computed.Status.String(), argo, message, flux.Status.String()}, nil
}

// The Kustomization's healthCheckExprs, by kind.
func fluxExpressions(file string) (map[string]*cel.StatusEvaluator, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		return nil, err
	}
	evaluators := map[string]*cel.StatusEvaluator{}
	for _, check := range kustomization.Spec.HealthCheckExprs {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", check.Kind, err)
		}
		evaluators[check.Kind] = evaluator
	}
	return evaluators, nil
}

// Runs a script as Argo CD does: no libraries but the harmless ones, the object as the global obj, a table as the result,
// one second at most.
func argoHealth(file string, object *unstructured.Unstructured) (string, string, error) {
	script, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return "", "", err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", value(state, object.Object))
	if err := state.DoString(string(script)); err != nil {
		return "", "", err
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("health.lua returned no table")
	}
	return result.RawGetString("status").String(), result.RawGetString("message").String(), nil
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		table := state.CreateTable(len(from), 0)
		for _, item := range from {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(from))
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
