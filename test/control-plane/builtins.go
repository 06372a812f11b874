package main

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metainternal "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage"
)

// builtIn is a type that a kube-apiserver has without a CRD.
type builtIn struct {
	version          schema.GroupVersion
	plural, singular string
	short            string
	namespaced       bool
	empty, emptyList func() runtime.Object
	// storedAs is what etcd holds. It is the type itself, but for events: both forms of those are one object in one store.
	storedAs schema.GroupVersion
}

// builtIns are the types that Fairlead's operator and its users need, no more.
var builtIns = []builtIn{
	{corev1.SchemeGroupVersion, "namespaces", "namespace", "ns", false,
		func() runtime.Object { return &corev1.Namespace{} }, func() runtime.Object { return &corev1.NamespaceList{} }, corev1.SchemeGroupVersion},
	{corev1.SchemeGroupVersion, "configmaps", "configmap", "cm", true,
		func() runtime.Object { return &corev1.ConfigMap{} }, func() runtime.Object { return &corev1.ConfigMapList{} }, corev1.SchemeGroupVersion},
	{corev1.SchemeGroupVersion, "secrets", "secret", "", true,
		func() runtime.Object { return &corev1.Secret{} }, func() runtime.Object { return &corev1.SecretList{} }, corev1.SchemeGroupVersion},
	{corev1.SchemeGroupVersion, "serviceaccounts", "serviceaccount", "sa", true,
		func() runtime.Object { return &corev1.ServiceAccount{} }, func() runtime.Object { return &corev1.ServiceAccountList{} }, corev1.SchemeGroupVersion},
	{corev1.SchemeGroupVersion, "events", "event", "ev", true,
		func() runtime.Object { return &corev1.Event{} }, func() runtime.Object { return &corev1.EventList{} }, corev1.SchemeGroupVersion},
	{eventsv1.SchemeGroupVersion, "events", "event", "ev", true,
		func() runtime.Object { return &corev1.Event{} }, func() runtime.Object { return &corev1.EventList{} }, corev1.SchemeGroupVersion},
	{coordinationv1.SchemeGroupVersion, "leases", "lease", "", true,
		func() runtime.Object { return &coordinationv1.Lease{} }, func() runtime.Object { return &coordinationv1.LeaseList{} }, coordinationv1.SchemeGroupVersion},
}

var (
	builtInScheme = newBuiltInScheme()
	builtInCodecs = serializer.NewCodecFactory(builtInScheme)
)

// newBuiltInScheme registers the public v1 types as the internal ones too: with one version of each there is nothing to convert, but for events.
func newBuiltInScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, coordinationv1.AddToScheme, eventsv1.AddToScheme, metainternal.AddToScheme, addEventConversions} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	for _, one := range builtIns {
		scheme.AddKnownTypes(schema.GroupVersion{Group: one.version.Group, Version: runtime.APIVersionInternal}, one.empty(), one.emptyList())
	}
	return scheme
}

// installBuiltIns serves the built-in types: `""` under /api, the other groups under /apis.
func installBuiltIns(server *genericapiserver.GenericAPIServer, etcd genericoptions.EtcdOptions) error {
	groups := map[string]map[string]rest.Storage{}
	stores := map[schema.GroupVersionResource]*builtInStore{}
	for _, one := range builtIns {
		stored := one.storedAs.WithResource(one.plural)
		if stores[stored] == nil {
			made, err := newStore(one, etcd)
			if err != nil {
				return fmt.Errorf("%s: %w", one.plural, err)
			}
			stores[stored] = made
		}
		if groups[one.version.Group] == nil {
			groups[one.version.Group] = map[string]rest.Storage{}
		}
		groups[one.version.Group][one.plural] = stores[stored]
	}
	for name, storage := range groups {
		info := genericapiserver.NewDefaultAPIGroupInfo(name, builtInScheme, runtime.NewParameterCodec(builtInScheme), builtInCodecs)
		info.VersionedResourcesStorageMap["v1"] = storage
		install := server.InstallAPIGroup
		if name == "" {
			install = func(info *genericapiserver.APIGroupInfo) error { return server.InstallLegacyAPIGroup("/api", info) }
		}
		if err := install(&info); err != nil {
			return err
		}
	}
	return nil
}

// builtInStore is the library's store with the short names that kubectl knows.
type builtInStore struct {
	*registry.Store
	shortNames []string
}

func (s *builtInStore) ShortNames() []string { return s.shortNames }

func newStore(one builtIn, etcd genericoptions.EtcdOptions) (*builtInStore, error) {
	etcd.StorageConfig.Codec = builtInCodecs.LegacyCodec(one.storedAs)
	resource := one.storedAs.WithResource(one.plural).GroupResource()
	rules := newStrategy(one.namespaced)
	store := &registry.Store{
		NewFunc: one.empty, NewListFunc: one.emptyList, PredicateFunc: predicate(one.namespaced),
		DefaultQualifiedResource: resource, SingularQualifiedResource: one.storedAs.WithResource(one.singular).GroupResource(),
		CreateStrategy: rules, UpdateStrategy: rules, DeleteStrategy: rules, TableConvertor: tableOf{plain: rest.NewDefaultTableConvertor(resource)},
		Decorator: terminating,
	}
	options := &generic.StoreOptions{
		RESTOptions: etcd.CreateRESTOptionsGetter(&genericoptions.SimpleStorageFactory{StorageConfig: etcd.StorageConfig}, nil), AttrFunc: attributes(one.namespaced),
	}
	if err := store.CompleteWithOptions(options); err != nil {
		return nil, err
	}
	if one.short == "" {
		return &builtInStore{Store: store}, nil
	}
	return &builtInStore{store, []string{one.short}}, nil
}

// attributes is what label and field selectors look at.
func attributes(namespaced bool) storage.AttrFunc {
	return func(object runtime.Object) (labels.Set, fields.Set, error) {
		meta, ok := object.(metav1.ObjectMetaAccessor)
		if !ok {
			return nil, nil, fmt.Errorf("%T has no metadata", object)
		}
		own := meta.GetObjectMeta()
		known := generic.ObjectMetaFieldsSet(&metav1.ObjectMeta{Name: own.GetName(), Namespace: own.GetNamespace()}, namespaced)
		switch typed := object.(type) {
		case *corev1.Event:
			known = generic.MergeFieldsSets(known, eventFields(typed))
		case *corev1.Secret:
			known["type"] = string(typed.Type)
		}
		return own.GetLabels(), known, nil
	}
}

func predicate(namespaced bool) func(labels.Selector, fields.Selector) storage.SelectionPredicate {
	return func(byLabel labels.Selector, byField fields.Selector) storage.SelectionPredicate {
		return storage.SelectionPredicate{Label: byLabel, Field: byField, GetAttrs: attributes(namespaced)}
	}
}
