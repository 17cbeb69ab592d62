using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Output;

/// <summary>The claims of an entry that has several.</summary>
internal static class ClaimTable
{
    /// <summary>The tag that an entry shows, and how many more claim it: <c>sshd (+2)</c>.</summary>
    public static string TagCell(string tag, int more) => more == 0 ? tag : string.Create(CultureInfo.InvariantCulture, $"{tag} (+{more})").TrimStart();

    /// <summary>Prints all claims, after an empty line; nothing when there are none besides the one that the entry shows, and for scripts.</summary>
    public static void Write(Invocation invocation, string cidr, ClaimRecord[]? claims, DateTimeOffset now)
    {
        if (claims is null or [] || invocation.Style.Format == OutputFormat.Tsv)
        {
            return;
        }

        invocation.Out.WriteLine();
        invocation.Out.WriteLine($"Claims of {cidr}, which is in force until the last one ends:");
        Column<ClaimRecord>[] columns =
        [
            new("Tag", claim => Printable.Escape(claim.Tag ?? "")) { IsText = true },
            new("Expiration", claim => ExpirationCell.Format(claim.Expiration, now)),
            new("Added by", claim => Printable.Escape(claim.AddedBy ?? "")) { IsText = true, Drop = 2 },
            new("Reason", claim => Printable.Escape(claim.Reason ?? "")) { IsText = true, Drop = 1 },
        ];
        Table.Write(invocation, claims, claims.Any(claim => claim.Reason is not null) ? columns : columns[..^1]);
    }
}
