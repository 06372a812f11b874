package main

import (
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apiserver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/cache"
)

// listGroups keeps the groups of custom resources in the plain list of /apis. The aggregated form has them without our help; clients
// that don't ask for that one read this.
func listGroups(server *apiextensions.CustomResourceDefinitions) error {
	definitions := server.Informers.Apiextensions().V1().CustomResourceDefinitions()
	listed := sets.New[string]()
	refresh := func(any) {
		all, err := definitions.Lister().List(labels.Everything())
		if err != nil {
			return
		}
		groups := groupsOf(all)
		for _, group := range groups {
			server.GenericAPIServer.DiscoveryGroupManager.AddGroup(group)
		}
		for name := range listed {
			if _, served := groups[name]; !served {
				server.GenericAPIServer.DiscoveryGroupManager.RemoveGroup(name)
			}
		}
		listed = sets.KeySet(groups)
	}
	// The informer calls its handlers one after the other.
	_, err := definitions.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: refresh, UpdateFunc: func(_, _ any) { refresh(nil) }, DeleteFunc: refresh,
	})
	return err
}

func groupsOf(definitions []*apiextensionsv1.CustomResourceDefinition) map[string]metav1.APIGroup {
	groups := map[string]metav1.APIGroup{}
	for _, definition := range definitions {
		group := groups[definition.Spec.Group]
		group.Name = definition.Spec.Group
		for _, version := range definition.Spec.Versions {
			entry := metav1.GroupVersionForDiscovery{GroupVersion: definition.Spec.Group + "/" + version.Name, Version: version.Name}
			if version.Served && !slices.Contains(group.Versions, entry) {
				group.Versions = append(group.Versions, entry)
			}
		}
		if len(group.Versions) == 0 {
			continue
		}
		group.PreferredVersion = group.Versions[0]
		groups[group.Name] = group
	}
	return groups
}
