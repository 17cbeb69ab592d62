using System.Text;

namespace Couic.Access;

/// <summary>The file of one client: <c>NAME.toml</c> with <c>token</c> and <c>group</c>.</summary>
public static class ClientFile
{
    public const string Suffix = ".toml";

    /// <summary>Bytes; a client file has about 70. Bounds what a stray file can cost.</summary>
    public const int MaxBytes = 16 * 1024;

    public static string PathOf(string folder, string name) => Path.Combine(folder, name + Suffix);

    /// <summary>The file's content; holds the secret.</summary>
    public static byte[] Format(Client client) =>
        Encoding.ASCII.GetBytes($"token = \"{client.Token:D}\"\ngroup = \"{client.Group.Name()}\"\n");
}
