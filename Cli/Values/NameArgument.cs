using Couic.Store;

namespace Couic.Cli.Values;

/// <summary>Names of clients and sets, groups and policies, by the API's rules.</summary>
internal static class NameArgument
{
    /// <summary>Bytes; as in couic 1.x.</summary>
    public const int MaxBytes = 48;

    public static readonly string[] Groups = ["admin", "clientrw", "clientro", "monitoring", "peering"];

    /// <returns>Null when the name is valid; otherwise the error.</returns>
    /// <param name="what">Such as <c>client name</c>.</param>
    public static string? Fault(string what, string name)
    {
        string? fault = name.Length == 0 ? "is empty"
            : name.Any(c => c > 127 || !TagRule.IsNameByte((byte)c)) ? "may hold only ASCII letters, digits, \"-\" and \"_\""
            : name.Length > MaxBytes ? $"is longer than {MaxBytes} bytes"
            : null;
        return fault is null ? null : $"{what} \"{Printable.Quote(name)}\" {fault}";
    }

    /// <returns>Null when the word is a group in any case; otherwise the error.</returns>
    public static string? GroupFault(string word) => Groups.Contains(word, StringComparer.OrdinalIgnoreCase)
        ? null
        : $"\"{Printable.Quote(word)}\" is not a group; expected one of {string.Join(", ", Groups)}";

    /// <returns>Null when the word is a policy; otherwise the error.</returns>
    public static string? TryPolicy(string word, out Policy policy) => Policies.TryParse(word.AsSpan(), out policy)
        ? null
        : $"\"{Printable.Quote(word)}\" is not a policy; expected drop or ignore";
}
