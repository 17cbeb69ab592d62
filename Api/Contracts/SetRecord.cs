namespace Couic.Api.Contracts;

/// <summary>A set with its entries: the body of a creation and of most answers.</summary>
public sealed record SetRecord(string Name, string[] Entries);

/// <summary>A set in the list of its policy.</summary>
/// <param name="FileSize">Bytes.</param>
public sealed record SetSummary(string Name, ulong EntryCount, ulong FileSize);
