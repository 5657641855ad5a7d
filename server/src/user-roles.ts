/** The role of a person in the whole service, where an administrator has given one: an object of this kind by identity. */
export const USER_ROLE = 'user-role'
