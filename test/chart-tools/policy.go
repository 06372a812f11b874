package main

import (
	"context"
	"encoding/json"
	"io"

	registration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/matching"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/cel/environment"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"
)

// A policy with its binding, as YAML, and the requests to judge.
type question struct {
	Policy   string    `json:"policy"`
	Binding  string    `json:"binding"`
	Requests []request `json:"requests"`
}

type request struct {
	User      string              `json:"user"`
	Operation admission.Operation `json:"operation"`
	Resource  string              `json:"resource"`
	// Empty for the object itself.
	Subresource string `json:"subresource"`
	// As it will be, and as it was; null where there is none.
	Object    map[string]any `json:"object"`
	OldObject map[string]any `json:"oldObject"`
}

// Empty where the request is allowed, else the API server's words.
type verdict struct {
	Refused string `json:"refused"`
}

// Judges requests by the API server's own dispatcher of admission policies: match rules, match conditions, variables, validations and the binding.
func judge(from io.Reader) ([]verdict, error) {
	var asked question
	if err := json.NewDecoder(from).Decode(&asked); err != nil {
		return nil, err
	}
	policy := &registration.ValidatingAdmissionPolicy{}
	binding := &registration.ValidatingAdmissionPolicyBinding{}
	if err := yaml.UnmarshalStrict([]byte(asked.Policy), policy); err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict([]byte(asked.Binding), binding); err != nil {
		return nil, err
	}
	setDefaults(policy.Spec.MatchConstraints)
	setDefaults(binding.Spec.MatchResources)
	evaluator, err := compile(policy)
	if err != nil {
		return nil, err
	}
	hooks := []validating.PolicyHook{{Policy: policy, Bindings: []*validating.PolicyBinding{binding}, Evaluator: evaluator}}
	namespaces := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	matcher := generic.NewPolicyMatcher(matching.NewMatcher(listers.NewNamespaceLister(namespaces), nil))
	dispatcher := validating.NewDispatcher(authorizerfactory.NewAlwaysDenyAuthorizer(), matcher)
	answer := []verdict{}
	for _, one := range asked.Requests {
		attributes := attributesOf(one)
		name := attributes.GetNamespace()
		if err := namespaces.Add(&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{core.LabelMetadataName: name}}}); err != nil {
			return nil, err
		}
		err := dispatcher.Dispatch(context.Background(), attributes, admission.NewObjectInterfacesFromScheme(runtime.NewScheme()), hooks)
		if err != nil {
			answer = append(answer, verdict{Refused: err.Error()})
		} else {
			answer = append(answer, verdict{})
		}
	}
	return answer, nil
}

// Compiles a policy as the API server's plug-in does (k8s.io/apiserver/pkg/admission/plugin/policy/validating/plugin.go, where it isn't exported).
func compile(policy *registration.ValidatingAdmissionPolicy) (validating.Validator, error) {
	spec := policy.Spec
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	given := cel.OptionalVariableDeclarations{HasAuthorizer: true}
	variables := []cel.NamedExpressionAccessor{}
	for _, one := range spec.Variables {
		variables = append(variables, &validating.Variable{Name: one.Name, Expression: one.Expression})
	}
	compiler.CompileAndStoreVariables(variables, given, environment.StoredExpressions)
	conditions := []cel.ExpressionAccessor{}
	for _, one := range spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&one))
	}
	validations, messages := []cel.ExpressionAccessor{}, []cel.ExpressionAccessor{}
	for _, one := range spec.Validations {
		validations = append(validations, &validating.ValidationCondition{Expression: one.Expression, Message: one.Message, Reason: one.Reason})
		messages = append(messages, nil)
	}
	evaluators := []cel.ConditionEvaluator{}
	for _, expressions := range [][]cel.ExpressionAccessor{conditions, validations, {}, messages} {
		evaluator := compiler.CompileCondition(expressions, given, environment.StoredExpressions)
		for _, err := range evaluator.CompilationErrors() {
			return nil, err
		}
		evaluators = append(evaluators, evaluator)
	}
	var matcher matchconditions.Matcher
	if len(conditions) > 0 {
		matcher = matchconditions.NewMatcher(evaluators[0], spec.FailurePolicy, "policy", "validate", policy.Name)
	}
	return validating.NewValidator(evaluators[1], matcher, evaluators[2], evaluators[3], spec.FailurePolicy, nil), nil
}

// What the API server sets where nothing is said.
func setDefaults(resources *registration.MatchResources) {
	if resources == nil {
		return
	}
	if resources.NamespaceSelector == nil {
		resources.NamespaceSelector = &meta.LabelSelector{}
	}
	if resources.ObjectSelector == nil {
		resources.ObjectSelector = &meta.LabelSelector{}
	}
	if resources.MatchPolicy == nil {
		equivalent := registration.Equivalent
		resources.MatchPolicy = &equivalent
	}
}

func attributesOf(one request) admission.Attributes {
	object, old := objectOf(one.Object), objectOf(one.OldObject)
	present := one.Object
	if present == nil {
		present = one.OldObject
	}
	is := unstructured.Unstructured{Object: present}
	kind := is.GroupVersionKind()
	resource := schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: one.Resource}
	return admission.NewAttributesRecord(object, old, kind, is.GetNamespace(), is.GetName(), resource, one.Subresource, one.Operation, nil, false, &user.DefaultInfo{Name: one.User})
}

func objectOf(content map[string]any) runtime.Object {
	if content == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: content}
}
