using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>Paths of the API for entries.</summary>
internal static class EntryPath
{
    public static string Of(Policy policy) => "/v1/" + policy.Name();

    public static string Of(Policy policy, Cidr cidr) => $"/v1/{policy.Name()}/{cidr.AddressText()}/{cidr.Length}";
}
