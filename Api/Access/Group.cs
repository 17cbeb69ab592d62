using System.Text;

namespace Couic.Api.Access;

/// <summary>What a client is there for. Each group's permissions are fixed (<see cref="Permissions"/>).</summary>
public enum Group : byte
{
    Admin,
    ClientRw,
    ClientRo,
    Monitoring,
    Peering,
}

/// <summary>The words for groups, as they stand in bodies, client files and logs.</summary>
public static class Groups
{
    /// <summary>For messages: every word that <see cref="TryParse(ReadOnlySpan{byte}, out Group)"/> takes.</summary>
    public const string Words = "admin, clientrw, clientro, monitoring, peering";

    private static readonly string[] Names = ["admin", "clientrw", "clientro", "monitoring", "peering"];
    private static readonly byte[][] Utf8Names = Array.ConvertAll(Names, Encoding.ASCII.GetBytes);

    public static string Name(this Group group) => Names[(int)group];

    public static ReadOnlySpan<byte> Utf8Name(this Group group) => Utf8Names[(int)group];

    /// <summary>One of the five words, in any ASCII case.</summary>
    public static bool TryParse(ReadOnlySpan<byte> word, out Group group)
    {
        for (int i = 0; i < Utf8Names.Length; i++)
        {
            if (Ascii.EqualsIgnoreCase(word, Utf8Names[i]))
            {
                group = (Group)i;
                return true;
            }
        }

        group = default;
        return false;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out Group)"/>
    public static bool TryParse(ReadOnlySpan<char> word, out Group group)
    {
        for (int i = 0; i < Names.Length; i++)
        {
            if (Ascii.EqualsIgnoreCase(word, Utf8Names[i]))
            {
                group = (Group)i;
                return true;
            }
        }

        group = default;
        return false;
    }
}
